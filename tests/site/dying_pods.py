"""Pods that die while they are asked: three ways to write a Deployment, and what each costs its clients."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.drivers.ports import Clock, Kube
from tasks.facts.probe import NAMESPACE, PORT, PROGRAM, Load, parse_hits, parse_load

REPLICAS = 3
WARM_UP_S = 2
LOAD_S = 16.0
WITHIN_S = 60.0


@dataclass(frozen=True)
class Way:
    """How a Deployment is written."""

    name: str
    readiness: bool
    pre_stop_s: int = 0

    def manifests(self, image: str) -> list[dict[str, Any]]:
        """The Service and the Deployment; the program needs some seconds before it listens."""
        labels = {"app": self.name}
        container: dict[str, Any] = {
            "name": "probe",
            "image": image,
            "imagePullPolicy": "Never",
            "command": [PROGRAM, "serve", "-listen", f":{PORT}", "-warm-up", str(WARM_UP_S)],
            "ports": [{"containerPort": PORT}],
        }
        if self.readiness:
            get = {"path": "/healthz", "port": PORT}
            container["readinessProbe"] = {"httpGet": get, "periodSeconds": 1, "failureThreshold": 2}
        if self.pre_stop_s:
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": self.pre_stop_s}}}
        pod = {"containers": [container], "terminationGracePeriodSeconds": 10}
        spec = {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        metadata = {"name": self.name, "namespace": NAMESPACE}
        ports = [{"port": 80, "targetPort": PORT}]
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"selector": labels, "ports": ports},
            },
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        ]


NOTHING = Way("no-probe", readiness=False)
READY = Way("readiness", readiness=True)
GRACEFUL = Way("graceful", readiness=True, pre_stop_s=3)


@dataclass(frozen=True)
class Dying:
    """One Deployment under load from a pod; every request on a connection of its own."""

    kube: Kube
    clock: Clock
    asker: str
    image: str

    def raise_up(self, way: Way) -> None:
        """Apply it and wait until every program listens. Raises TimeoutError."""
        for manifest in way.manifests(self.image):
            self.kube.apply(manifest)
        self._settled(way)
        self.clock.sleep(WARM_UP_S + 1)  # without a readiness probe nobody says that it listens

    def replaced(self, way: Way) -> Load:
        """Replace all its pods, one after the other, and count what fails. Raises TimeoutError."""
        _, deployment = way.manifests(self.image)
        deployment["spec"]["template"]["metadata"]["annotations"] = {"again": "1"}
        with ThreadPoolExecutor(1) as pool:
            words = ["load", "-fresh", "-c", "4", "-seconds", f"{LOAD_S:g}", self._url(way)]
            asking = pool.submit(self._ask, self.asker, words)
            self.clock.sleep(1.0)
            self.kube.apply(deployment)
            self._settled(way)
            return parse_load(asking.result())

    def hung(self, way: Way, within_s: float) -> list[tuple[float, float]]:
        """One of its pods hangs: every look's seconds since, and the share of its requests that failed.

        Looked at again until none fails, or until `within_s`: probes and rules take time on a busy machine.
        """
        address = self._pods(way)[0]["status"]["podIP"]
        self._ask(self.asker, ["get", f"http://{address}:{PORT}/hang"])
        began = self.clock.now()
        words = ["hits", "-n", "120", "-c", "12", "-timeout", "0.5", self._url(way)]
        looks: list[tuple[float, float]] = []
        while not looks or (looks[-1][1] and looks[-1][0] < within_s):
            self.clock.sleep(1.0)
            hits = parse_hits(self._ask(self.asker, words))
            looks.append(((self.clock.now() - began).total_seconds(), hits.errors / hits.requests))
        return looks

    def take_down(self, way: Way) -> None:
        """Remove it; its pods end on their own."""
        self.kube.delete("apps/v1", "Deployment", way.name, namespace=NAMESPACE)
        self.kube.delete("v1", "Service", way.name, namespace=NAMESPACE)

    def _url(self, way: Way) -> str:
        service: Mapping[str, Any] = self.kube.get("v1", "Service", way.name, namespace=NAMESPACE) or {}
        return f"http://{service['spec']['clusterIP']}/"

    def _pods(self, way: Way) -> list[dict[str, Any]]:
        return self.kube.list("v1", "Pod", namespace=NAMESPACE, selector=f"app={way.name}")

    def _settled(self, way: Way) -> None:
        for _ in range(int(WITHIN_S / 0.5)):
            found = self.kube.get("apps/v1", "Deployment", way.name, namespace=NAMESPACE) or {}
            status, wanted = found.get("status", {}), found.get("metadata", {}).get("generation", 0)
            counts = (status.get("updatedReplicas"), status.get("availableReplicas"), len(self._pods(way)))
            if status.get("observedGeneration") == wanted and set(counts) == {REPLICAS}:
                return
            self.clock.sleep(0.5)
        raise TimeoutError(f"{way.name} is not settled in {WITHIN_S:g} s")

    def _ask(self, pod: str, words: list[str]) -> str:
        output = self.kube.execute(NAMESPACE, pod, [PROGRAM, *words], timeout_s=LOAD_S + 30)
        assert output.ok, output.stderr
        return output.stdout
