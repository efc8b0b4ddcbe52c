"""Objects in memory behind the `Kube` port, for tests of what is decided about objects (not of the API)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tasks.drivers.ports import Json, Output

Key = tuple[str, str, str, str]


class PlainKube:
    def __init__(self, name: str = "oslo", *objects: Json) -> None:
        self.name = name
        self.stored: dict[Key, dict[str, Any]] = {}
        self.applied: list[Key] = []
        for one in objects:
            self.stored[self.key(one)] = copy.deepcopy(dict(one))

    @staticmethod
    def key(one: Json) -> Key:
        metadata = one["metadata"]
        return one["apiVersion"], one["kind"], metadata.get("namespace", ""), metadata["name"]

    def kinds(self) -> Sequence[tuple[str, str]]:
        return sorted({key[:2] for key in self.stored})

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        return [
            copy.deepcopy(one)
            for key, one in sorted(self.stored.items())
            if key[:2] == (api_version, kind)
            and namespace in (None, key[2])
            and wanted.items() <= (one["metadata"].get("labels") or {}).items()
        ]

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        return copy.deepcopy(self.stored.get((api_version, kind, namespace or "", name)))

    def apply(self, manifest: Json, *, dry_run: bool = False) -> bool:
        key = self.key(manifest)
        changed = self.stored.get(key) != manifest
        if changed and not dry_run:
            self.stored[key] = copy.deepcopy(dict(manifest))
            self.applied.append(key)
        return changed

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        return self.stored.pop((api_version, kind, namespace or "", name), None) is not None

    def evict(self, namespace: str, pod: str) -> bool:
        return self.delete("v1", "Pod", pod, namespace=namespace)

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        raise NotImplementedError
