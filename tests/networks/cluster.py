"""A cluster and its probe pods that exist only in memory; time passes only when somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE


class StillClock:
    """A clock that moves when it is waited on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class MemoryKube:
    """Implements `ports.Kube`: objects by (kind, namespace, name); `answer` plays the programs in pods."""

    name = "oslo"

    def __init__(self, answer: Callable[[str, Sequence[str]], Output] | None = None) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.on_apply: Callable[[dict[str, Any]], None] = lambda _: None

    def kinds(self) -> Sequence[tuple[str, str]]:
        return sorted({("v1", kind) for kind, _, _ in self.objects})

    def put(self, *objects: dict[str, Any]) -> MemoryKube:
        for item in objects:
            metadata = item["metadata"]
            self.objects[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
        return self

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        wanted = dict([selector.split("=", 1)] if selector else [])
        return [
            item
            for (of_kind, of_namespace, _), item in self.objects.items()
            if of_kind == kind
            and namespace in (None, of_namespace)
            and wanted.items() <= item["metadata"].get("labels", {}).items()
        ]

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        return self.objects.get((kind, namespace or "", name))

    def apply(self, manifest: Any, *, dry_run: bool = False) -> bool:
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        changed = self.objects.get(key) != manifest
        if not dry_run:
            self.objects[key] = manifest
            self.on_apply(manifest)
        return changed

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        there = self.objects.pop((kind, namespace or "", name), None) is not None
        if kind == "Namespace":
            self.objects = {key: item for key, item in self.objects.items() if key[1] != name}
        return there

    def evict(self, namespace: str, pod: str) -> bool:
        return self.delete("v1", "Pod", pod, namespace=namespace)

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        assert namespace == NAMESPACE
        self.asked.append((pod, tuple(argv[1:])))
        assert self.answer is not None, "nothing answers in this cluster's pods"
        return self.answer(pod, argv[1:])


def said(text: str, exit_code: int = 0) -> Output:
    return Output(exit_code, text, "" if exit_code == 0 else text, 0.01)


def pod(name: str, node: str, address: str = "", *, app: str, ready: bool = True, waiting: str = "") -> Any:
    labels = {"app": app} | ({} if app == "probe-node" else {"answers": "probe"})
    states = [{"state": {"waiting": {"reason": waiting, "message": "none"}}}] if waiting else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": node},
        "status": {
            "podIP": address,
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": states,
        },
    }
