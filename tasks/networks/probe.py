"""The probe pods: two a node in the pod network, behind a Service, and one on the node's own network.

They stand only while a network is proved or measured, and are removed whatever came of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Kube
from tasks.facts.probe import (
    ANSWERS,
    NAMES_PORT,
    NAMESPACE,
    NODE_APP,
    PEER_APP,
    PEER_SERVICE,
    POD_APP,
    PORT,
    PROGRAM,
    SERVICE,
    parse_hits,
)

_POLL_S = 0.5
READY_WITHIN_S = 120.0  # an emulated node takes a minute to start four pods
SETTLE_S = 10.0  # kube-proxy writes new rules after a second, a busy machine takes longer


@dataclass(frozen=True)
class Probes:
    """Names of the probe pods by node: `pods` in the pod network, `nodes` on the node's own network."""

    pods: Mapping[str, str]
    nodes: Mapping[str, str]


def manifests(reference: str) -> tuple[dict[str, Any], ...]:
    """All objects, the namespace first."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return (
        namespace,
        _service(SERVICE, "NodePort", ANSWERS),
        _service(PEER_SERVICE, "ClusterIP", {"app": PEER_APP}),
        _daemon_set(POD_APP, reference, host_network=False),
        _daemon_set(PEER_APP, reference, host_network=False),
        _daemon_set(NODE_APP, reference, host_network=True),
    )


def _service(name: str, kind: str, selector: Mapping[str, str]) -> dict[str, Any]:
    ports = [
        {"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"},
        {"name": "names", "port": NAMES_PORT, "targetPort": PORT, "protocol": "UDP"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": kind, "selector": dict(selector), "ports": ports},
    }


def _daemon_set(app: str, reference: str, *, host_network: bool) -> dict[str, Any]:
    def downward(field: str) -> dict[str, Any]:
        return {"fieldRef": {"fieldPath": field}}

    container = {
        "name": "probe",
        "image": reference,
        "imagePullPolicy": "Never",
        "command": [PROGRAM, "serve", "-listen", f":{PORT}"],
        "env": [
            {"name": "POD", "valueFrom": downward("metadata.name")},
            {"name": "NODE", "valueFrom": downward("spec.nodeName")},
        ],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    pod: dict[str, Any] = {
        "containers": [container],
        "hostNetwork": host_network,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
    }
    labels = {"app": app}
    answering = labels if host_network else labels | ANSWERS
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": app, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": answering}, "spec": pod},
        },
    }


def raise_probes(
    kube: Kube, clock: Clock, nodes: Sequence[str], reference: str, *, within_s: float = READY_WITHIN_S
) -> Probes:
    """Create the probe pods and wait until all are ready.

    Raises ServiceFailed with each missing pod's state where they are not in time, or where an earlier run's
    are still being removed then.
    """
    ready = _stand(kube, clock, nodes, manifests(reference), within_s)
    found = Probes(ready[POD_APP], ready[NODE_APP])
    _settle(kube, clock, found)
    return found


@contextmanager
def on_every_node(
    kube: Kube, clock: Clock, nodes: Sequence[str], reference: str, *, within_s: float = READY_WITHIN_S
) -> Iterator[Mapping[str, str]]:
    """Only the probes of the nodes' own network, for the time of the block: names of their pods by node.

    Raises like `raise_probes` and `remove_probes`.
    """
    mine = [each for each in manifests(reference) if each["metadata"]["name"] in (NAMESPACE, NODE_APP)]
    try:
        yield _stand(kube, clock, nodes, mine, within_s)[NODE_APP]
    finally:
        remove_probes(kube, clock)


def _stand(
    kube: Kube, clock: Clock, nodes: Sequence[str], objects: Sequence[dict[str, Any]], within_s: float
) -> Mapping[str, Mapping[str, str]]:
    """Apply the objects and wait until every DaemonSet among them has a ready pod on each node.

    Names of pods by node, by DaemonSet. Raises ServiceFailed with each missing pod's state.
    """
    started = clock.now()
    _await_the_last_gone(kube, clock, started + timedelta(seconds=within_s))
    for manifest in objects:
        kube.apply(manifest)
    apps = [each["metadata"]["name"] for each in objects if each["kind"] == "DaemonSet"]
    while True:
        pods = kube.list("v1", "Pod", namespace=NAMESPACE)
        ready = {app: _ready(pods, app) for app in apps}
        missing = [node for node in nodes if not all(node in standing for standing in ready.values())]
        if not missing:
            return ready
        if (clock.now() - started).total_seconds() > within_s:
            raise _not_in_time(kube, pods, missing, within_s)
        clock.sleep(_POLL_S)


def remove_probes(kube: Kube, clock: Clock, *, within_s: float = READY_WITHIN_S) -> None:
    """Remove all of it and wait until no probe pod is left; the namespace itself goes seconds later.

    Raises ServiceFailed where pods are left in time.
    """
    started = clock.now()
    for app in (POD_APP, PEER_APP, NODE_APP):
        kube.delete("apps/v1", "DaemonSet", app, namespace=NAMESPACE)
    kube.delete("v1", "Namespace", NAMESPACE)
    while kube.list("v1", "Pod", namespace=NAMESPACE):
        if (clock.now() - started).total_seconds() > within_s:
            raise ServiceFailed(
                kube.name,
                f"probe pods of {NAMESPACE} are not gone in {within_s:g} s",
                f"kubectl delete namespace {NAMESPACE}",
            )
        clock.sleep(_POLL_S)


def _settle(kube: Kube, clock: Clock, probes: Probes) -> None:
    """Wait until every node's kube-proxy has heard of all the endpoints, or for as long as that may take.

    A Service that does not answer by then is the checks' subject, not an error of this.
    """
    deadline = clock.now() + timedelta(seconds=SETTLE_S)
    for name, endpoints in ((SERVICE, 2 * len(probes.pods)), (PEER_SERVICE, len(probes.pods))):
        service = kube.get("v1", "Service", name, namespace=NAMESPACE) or {}
        url = f"http://{service.get('spec', {}).get('clusterIP', '')}/"
        words = [PROGRAM, "hits", "-n", str(16 * endpoints), "-c", "16", "-timeout", "0.5", url]
        for pod in probes.nodes.values():
            while clock.now() < deadline:
                output = kube.execute(NAMESPACE, pod, words, timeout_s=60)
                if output.ok:
                    hits = parse_hits(output.stdout)
                    if not hits.errors and len(hits.by) >= endpoints:
                        break
                clock.sleep(_POLL_S)


@contextmanager
def probing(kube: Kube, clock: Clock, nodes: Sequence[str], reference: str) -> Iterator[Probes]:
    """The probe pods for the time of the block. Raises like `raise_probes` and `remove_probes`."""
    try:
        yield raise_probes(kube, clock, nodes, reference)
    finally:
        remove_probes(kube, clock)


def _await_the_last_gone(kube: Kube, clock: Clock, deadline: datetime) -> None:
    """Wait while the namespace of an earlier run goes away: what is applied into it goes with it.

    Raises ServiceFailed where it is still going at the deadline.
    """
    while (kube.get("v1", "Namespace", NAMESPACE) or {}).get("metadata", {}).get("deletionTimestamp"):
        if clock.now() > deadline:
            raise ServiceFailed(
                f"{kube.name}: namespace {NAMESPACE}",
                "an earlier run's is still being removed",
                f"kubectl get namespace {NAMESPACE} -o yaml  # its conditions say what holds it",
            )
        clock.sleep(_POLL_S)


def _not_in_time(
    kube: Kube, pods: Sequence[Mapping[str, Any]], missing: Sequence[str], within_s: float
) -> ServiceFailed:
    return ServiceFailed(
        f"{kube.name}: probe pods",
        f"not ready on {', '.join(missing)} in {within_s:g} s: {_why(pods, missing)}",
        f"kubectl describe pods -n {NAMESPACE}",
    )


def _ready(pods: Sequence[Mapping[str, Any]], app: str) -> dict[str, str]:
    return {
        pod["spec"]["nodeName"]: pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"].get("labels", {}).get("app") == app and _is_ready(pod)
    }


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", ())}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def _why(pods: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> str:
    reasons = []
    for pod in pods:
        node = pod["spec"].get("nodeName", "no node")
        status = pod.get("status", {})
        states = [s.get("state", {}).get("waiting", {}) for s in status.get("containerStatuses", ())]
        waiting = ", ".join(f"{s['reason']} {s.get('message', '')}" for s in states if s)
        if not _is_ready(pod) and (node in missing or node == "no node"):
            reasons.append(
                f"{pod['metadata']['name']} on {node}: {waiting or status.get('phase', 'unknown')}"
            )
    return "; ".join(reasons) or "no pod was created"
