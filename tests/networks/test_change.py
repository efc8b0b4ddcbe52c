"""Emptying a node and counting what a change costs: on a cluster in memory that plays the controllers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE
from tasks.networks import change_load, drain
from tasks.networks.change_load import APP, ChangeLoad, Lost, loaded
from tests.networks.cluster import MemoryKube, StillClock, said


def a_pod(name: str, node: str = "oslo-2", owner: str = "ReplicaSet", **more: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "o", "controller": True}] if owner else []
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": owners}
    return {
        "kind": "Pod",
        "metadata": metadata | more.get("metadata", {}),
        "spec": {"nodeName": node, "hostNetwork": more.get("host", False)},
        "status": {
            "phase": more.get("phase", "Running"),
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


class Playing(MemoryKube):
    """A deleted DaemonSet pod comes back under another name; `refusals` evictions are refused first."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__()
        self.refusals = refusals
        self.put({"kind": "Node", "metadata": {"name": "oslo-2"}, "spec": {}})
        self.seen_unschedulable: list[bool] = []

    def evict(self, namespace: str, pod: str) -> bool:
        node = self.objects["Node", "", "oslo-2"]
        self.seen_unschedulable.append(bool(node.get("spec", {}).get("unschedulable")))
        if self.refusals:
            self.refusals -= 1
            return False
        return super().evict(namespace, pod)

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        old = self.objects.get((kind, namespace or "", name))
        there = super().delete(api_version, kind, name, namespace=namespace)
        if old and kind == "Pod" and old["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet":
            self.put(a_pod(f"{name}-again", owner="DaemonSet"))
        return there


def names(kube: MemoryKube) -> set[str]:
    return {name for kind, _, name in kube.objects if kind == "Pod"}


def test_a_node_is_emptied_of_what_may_leave_and_pods_are_let_back() -> None:
    kube = Playing(refusals=2).put(
        a_pod("web"),
        a_pod("other", "oslo-3"),
        a_pod("logs", owner="DaemonSet"),
        a_pod("done", owner="Job", phase="Succeeded"),
        a_pod("api", owner="Node", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}),
    )
    assert isinstance(kube, Playing)
    with drain.emptied(kube, StillClock(), "oslo-2") as evicted:
        assert evicted == 1
        assert names(kube) == {"other", "logs", "done", "api"}
        assert drain.is_marked(kube, "oslo-2")
    assert kube.seen_unschedulable == [True, True, True], "nothing is evicted before pods are kept off"
    assert not drain.is_marked(kube, "oslo-2")
    assert "unschedulable" not in kube.objects["Node", "", "oslo-2"].get("spec", {})


def test_a_pod_that_nobody_would_make_again_stops_it_before_anything_is_done() -> None:
    kube = Playing().put(a_pod("web"), a_pod("alone", owner=""))
    with (
        pytest.raises(ServiceFailed, match="these pods again elsewhere: shop/alone"),
        drain.emptied(kube, StillClock(), "oslo-2"),
    ):
        pytest.fail("it was emptied")
    assert names(kube) == {"web", "alone"}
    assert not drain.is_marked(kube, "oslo-2")


def test_a_budget_that_never_gives_way_is_named_and_pods_are_let_back() -> None:
    kube = Playing(refusals=10_000).put(a_pod("web"))
    with (
        pytest.raises(ServiceFailed, match=r"not gone in 60 s: shop/web; a disruption budget keeps shop/web"),
        drain.emptied(kube, StillClock(), "oslo-2", within_s=60),
    ):
        pytest.fail("it was emptied")
    assert not drain.is_marked(kube, "oslo-2")


def test_a_change_that_fails_leaves_the_mark_for_the_next_run() -> None:
    kube = Playing().put(a_pod("web"))
    with pytest.raises(HostUnreachable), drain.emptied(kube, StillClock(), "oslo-2"):
        raise HostUnreachable("oslo-2", "gone")
    assert drain.is_marked(kube, "oslo-2")
    drain.let_back(kube, "oslo-2")
    assert not drain.is_marked(kube, "oslo-2")


def test_a_node_that_somebody_else_keeps_pods_off_stays_so() -> None:
    kube = Playing().put({"kind": "Node", "metadata": {"name": "oslo-2"}, "spec": {"unschedulable": True}})
    with drain.emptied(kube, StillClock(), "oslo-2") as evicted:
        assert evicted == 0
    assert kube.objects["Node", "", "oslo-2"]["spec"] == {"unschedulable": True}


def test_daemons_in_the_pod_network_are_made_anew_and_no_others() -> None:
    kube = Playing().put(
        a_pod("logs", owner="DaemonSet"), a_pod("proxy", owner="DaemonSet", host=True), a_pod("web")
    )
    assert drain.renew_daemons(kube, StillClock(), "oslo-2") == 1
    assert names(kube) == {"logs-again", "proxy", "web"}


class Answering(MemoryKube):
    """The Deployment is ready at once; each window of the load answers the next of `windows`."""

    def __init__(self, windows: Sequence[dict[str, Any] | Exception]) -> None:
        super().__init__(self.window)
        self.windows = list(windows)
        self.on_apply = self.ready

    def ready(self, manifest: dict[str, Any]) -> None:
        if manifest["kind"] == "Deployment":
            manifest["status"] = {"readyReplicas": manifest["spec"]["replicas"]}
        if manifest["kind"] == "Service":
            manifest["spec"]["clusterIP"] = "10.96.0.77"

    def window(self, _: str, words: Sequence[str]) -> Output:
        assert words[-1] == "http://10.96.0.77/"
        answer = self.windows.pop(0) if self.windows else window(10)
        if isinstance(answer, Exception):
            raise answer
        return said(json.dumps(answer))


def window(requests: int, errors: int = 0) -> dict[str, Any]:
    rates = {"requests_per_s": 5.0, "seconds": 2.0, "p50_ms": 1.0, "p99_ms": 2.0}
    return {"requests": requests, "errors": errors, "error": "refused" if errors else ""} | rates


def test_the_load_counts_what_failed_and_is_removed() -> None:
    kube = Answering([window(90, 10), HostUnreachable("oslo-2", "no answer")])
    with loaded(kube, StillClock(), ["a", "b"], "probe:1") as load:
        pass
    assert (load.lost.failed, load.lost.windows, load.lost.windows_lost) == (10, 2, 1)
    assert load.lost.requests == 100
    assert not [key for key in kube.objects if key[2] == APP]


def test_a_load_that_nobody_answered_is_no_measurement() -> None:
    load = ChangeLoad()
    with pytest.raises(ServiceFailed, match="was not measured: no window"):
        _ = load.lost
    load.add(Lost(0, 0, 1, 1, "gone"))
    with pytest.raises(ServiceFailed, match="was not measured: gone"):
        _ = load.lost


def test_replicas_that_do_not_come_up_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_load, "READY_WITHIN_S", 5.0)
    kube = MemoryKube()
    with (
        pytest.raises(ServiceFailed, match=f"{NAMESPACE}/{APP}: 0 of 2 replicas are ready after 5 s"),
        loaded(kube, StillClock(), ["a"], "probe:1"),
    ):
        pytest.fail("it was loaded")
