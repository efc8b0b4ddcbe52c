"""An API that many readers ask: once a moment, and anew afterwards."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks.drivers import kube_once
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.kube_once import KubeOnce
from tests.networks.cluster import MemoryKube


class Counted(MemoryKube):
    def __init__(self) -> None:
        super().__init__()
        self.lists: list[tuple[str, str | None, str]] = []
        self.broken = False

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        self.lists.append((kind, namespace, selector))
        time.sleep(0.05)
        if self.broken:
            raise ServiceFailed("api", "500")
        return super().list(api_version, kind, namespace=namespace, selector=selector)


def test_readers_of_one_moment_share_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Counted()
    kube.put({"kind": "Node", "metadata": {"name": "n1"}})
    once = KubeOnce(kube)
    ready = threading.Barrier(8)

    def read(_: int) -> list[dict[str, Any]]:
        ready.wait()
        return once.list("v1", "Node")

    with ThreadPoolExecutor(8) as pool:
        assert {len(found) for found in pool.map(read, range(8))} == {1}
    assert len(kube.lists) == 1
    once.list("v1", "Node", selector="a=b")
    once.list("v1", "Pod")
    assert len(kube.lists) == 3
    monkeypatch.setattr(kube_once, "HELD_S", 0.0)
    once.list("v1", "Pod", namespace="x")
    once.list("v1", "Pod", namespace="x")
    assert len(kube.lists) == 5, "what is old is read anew"


def test_an_error_is_not_kept() -> None:
    kube = Counted()
    once, kube.broken = KubeOnce(kube), True
    with pytest.raises(ServiceFailed):
        once.list("v1", "Node")
    kube.broken = False
    assert once.list("v1", "Node") == []


def test_it_is_held_for_less_than_a_check_waits_before_it_looks_again() -> None:
    from tasks.checks.dataplane.proxy_endpoints import PAUSE_S

    assert kube_once.HELD_S < PAUSE_S
