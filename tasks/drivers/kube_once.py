"""A cluster's API for many readers: what was read in the same moment is not read again.

Forty checks ask for the same Services; of a large cluster that is what a round costs its API server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from tasks.drivers.ports import Kube, Output

T = TypeVar("T")
HELD_S = 0.9  # less than any reader waits before it looks whether something has changed


@dataclass
class _Cell:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    value: object = None


class KubeOnce:
    """Implements `ports.Kube`: what was read is held for `HELD_S`; who reads it does not change it."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._cells: dict[tuple[object, ...], _Cell] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._kube.name

    def kinds(self) -> Sequence[tuple[str, str]]:
        """See `ports.Kube`."""
        return self._once(("kinds",), self._kube.kinds)

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """See `ports.Kube`."""
        return self._once(
            ("list", api_version, kind, namespace, selector),
            lambda: self._kube.list(api_version, kind, namespace=namespace, selector=selector),
        )

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """See `ports.Kube`."""
        return self._once(
            ("get", api_version, kind, namespace, name),
            lambda: self._kube.get(api_version, kind, name, namespace=namespace),
        )

    def node_get(self, node: str, port: int, path: str) -> str:
        """See `ports.Kube`."""
        return self._kube.node_get(node, port, path)

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        """See `ports.Kube`."""
        return self._kube.apply(manifest, dry_run=dry_run)

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        """See `ports.Kube`."""
        return self._kube.delete(api_version, kind, name, namespace=namespace)

    def evict(self, namespace: str, pod: str) -> bool:
        """See `ports.Kube`."""
        return self._kube.evict(namespace, pod)

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        """See `ports.Kube`."""
        return self._kube.execute(namespace, pod, argv, container=container, timeout_s=timeout_s)

    def _once(self, key: tuple[object, ...], ask: Callable[[], T]) -> T:
        """The value, read anew where it is old; who asks meanwhile waits for it. Raises what `ask` does."""
        with self._lock:
            cell = self._cells.setdefault(key, _Cell())
        with cell.lock:
            if time.monotonic() >= cell.until:
                cell.value = ask()
                cell.until = time.monotonic() + HELD_S
            return cast(T, cell.value)
