"""A load that runs while the network beneath it is changed, and what of it failed.

A Deployment of the probe program behind a Service of its own, which ends as a well-behaved workload does (it
is taken out of the Service before it stops), is asked from every node, each request on a new connection.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.drivers.ports import Clock, Kube
from tasks.facts.probe import NAMESPACE, PORT, PROGRAM, parse_load

APP = "probe-change"
CONNECTIONS = 2  # a node; enough to see a loss, little enough for a shop that is in use
WINDOW_S = 2.0
READY_WITHIN_S = 60.0
LEAVE_S = 5  # kube-proxy on every node has heard of an endpoint's end by then


@dataclass(frozen=True)
class Lost:
    """`windows_lost`: questions of WINDOW_S to a node's pod that were not answered at all."""

    requests: int
    failed: int
    windows: int
    windows_lost: int
    error: str

    @property
    def figures(self) -> dict[str, Any]:
        """For the stage's result."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "windows": self.windows,
            "windows_lost": self.windows_lost,
            "error": self.error,
        }


class ChangeLoad:
    """The running load; `lost` once it has ended."""

    def __init__(self) -> None:
        self._parts: list[Lost] = []
        self._lock = threading.Lock()

    def add(self, part: Lost) -> None:
        """One window of one node."""
        with self._lock:
            self._parts.append(part)

    @property
    def lost(self) -> Lost:
        """All windows together. Raises ServiceFailed where none was answered: nothing was measured."""
        with self._lock:
            parts = tuple(self._parts)
        found = Lost(
            sum(part.requests for part in parts),
            sum(part.failed for part in parts),
            sum(part.windows for part in parts),
            sum(part.windows_lost for part in parts),
            next((part.error for part in parts if part.error), ""),
        )
        if found.windows == found.windows_lost:
            raise ServiceFailed(
                APP, f"the load during the change was not measured: {found.error or 'no window'}"
            )
        return found


def manifests(reference: str, replicas: int) -> tuple[dict[str, Any], ...]:
    """Deployment, Service and disruption budget: one replica is always there."""
    labels, metadata = {"app": APP}, {"name": APP, "namespace": NAMESPACE}
    container = {
        "name": "probe",
        "image": reference,
        "imagePullPolicy": "Never",
        "command": [PROGRAM, "serve", "-listen", f":{PORT}"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_S}}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    pod = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 2 * LEAVE_S,
        "topologySpreadConstraints": [spread],
        "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
    }
    return (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata,
            "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
        },
    )


@contextmanager
def loaded(kube: Kube, clock: Clock, askers: Sequence[str], reference: str) -> Iterator[ChangeLoad]:
    """The load for the time of the block, asked by these pods (one a node, on the node's own network).

    Raises ServiceFailed where the Deployment does not come up.
    """
    made = manifests(reference, max(2, len(askers)))
    try:
        for manifest in made:
            kube.apply(manifest)
        url = f"http://{_ready(kube, clock)}/"
        load, ended = ChangeLoad(), threading.Event()
        with ThreadPoolExecutor(len(askers), thread_name_prefix="load") as pool:
            running = [pool.submit(_ask, kube, pod, url, load, ended) for pod in askers]
            try:
                yield load
            finally:
                ended.set()
            _raise(running)
    finally:
        for manifest in made:
            kube.delete(manifest["apiVersion"], manifest["kind"], APP, namespace=NAMESPACE)


def _ask(kube: Kube, pod: str, url: str, load: ChangeLoad, ended: threading.Event) -> None:
    words = [PROGRAM, "load", "-fresh", "-c", str(CONNECTIONS), "-seconds", f"{WINDOW_S:g}", url]
    while True:
        try:
            output = kube.execute(NAMESPACE, pod, words, timeout_s=WINDOW_S + 20)
        except OutsideError as error:
            load.add(Lost(0, 0, 1, 1, str(error)))
        else:
            if not output.ok:
                load.add(Lost(0, 0, 1, 1, output.stderr[:200]))
            else:
                seen = parse_load(output.stdout)
                load.add(Lost(seen.requests + seen.errors, seen.errors, 1, 0, seen.error))
        if ended.wait(0.05):
            return


def _raise(running: Sequence[Future[None]]) -> None:
    for future in running:
        future.result()


def _ready(kube: Kube, clock: Clock) -> str:
    """The Service's address once every replica is ready and kube-proxy has had the time to hear of it."""
    started = clock.now()
    while True:
        deployment = kube.get("apps/v1", "Deployment", APP, namespace=NAMESPACE) or {}
        wanted = deployment.get("spec", {}).get("replicas", 0)
        ready = deployment.get("status", {}).get("readyReplicas", 0)
        if wanted and ready == wanted:
            break
        if (clock.now() - started).total_seconds() > READY_WITHIN_S:
            raise ServiceFailed(
                f"{NAMESPACE}/{APP}", f"{ready} of {wanted} replicas are ready after {READY_WITHIN_S:g} s"
            )
        clock.sleep(0.5)
    clock.sleep(LEAVE_S / 2)
    service = kube.get("v1", "Service", APP, namespace=NAMESPACE) or {}
    return str(service["spec"]["clusterIP"])
