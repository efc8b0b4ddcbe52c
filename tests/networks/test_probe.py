"""Probe pods: raised on every node, waited for, named where they are missing, removed whatever happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.cluster import KubeProxy
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE
from tasks.networks import probe_image
from tasks.networks.probe import Probes, manifests, on_every_node, probing, raise_probes
from tasks.networks.proxy_account import ensure, refuse_hidden_clients
from tests.networks.cluster import MemoryKube, StillClock, pod, said
from tests.operations.network_site import facts, site

NODES = ["oslo-1", "oslo-2"]
MET = {"requests": 64, "errors": 0, "by": {f"p{n}": 16 for n in range(4)}, "clients": [], "error": ""}


def all_pods() -> list[dict[str, object]]:
    return [
        pod(f"{app}-{node}", node, app=app) for app in ("probe", "probe-peer", "probe-node") for node in NODES
    ]


def cluster(answer: dict[str, object] | None = None) -> MemoryKube:
    def answers(_: str, words: Sequence[str]) -> Output:
        assert words[0] == "hits"
        return said(json.dumps(answer or MET))

    return MemoryKube(answers)


def test_every_node_has_its_probes() -> None:
    kube = cluster().put(*all_pods())
    found = raise_probes(kube, StillClock(), NODES, "safe-harbor.local/probe:1")
    assert found == Probes(
        {node: f"probe-{node}" for node in NODES}, {node: f"probe-node-{node}" for node in NODES}
    )
    kinds = {kind for kind, _, _ in kube.objects}
    assert {"Namespace", "Service", "DaemonSet"} <= kinds


def test_a_pod_that_does_not_come_is_named_with_its_reason() -> None:
    pods = [p for p in all_pods() if p["metadata"]["name"] != "probe-oslo-2"]  # type: ignore[index] # a dict
    late = pod("probe-oslo-2", "oslo-2", app="probe", ready=False, waiting="ErrImageNeverPull")
    kube = cluster().put(*pods, late)
    with pytest.raises(ServiceFailed, match=r"not ready on oslo-2 in 5 s: probe-oslo-2 .*ErrImageNeverPull"):
        raise_probes(kube, StillClock(), NODES, "x", within_s=5)


class Leaving(StillClock):
    """A clock by which the namespace of an earlier run is gone after some seconds, with all that is in it."""

    def __init__(self, kube: MemoryKube, after_s: float) -> None:
        super().__init__()
        self._kube, self._left_s = kube, after_s
        kube.put(
            {
                "kind": "Namespace",
                "metadata": {"name": NAMESPACE, "deletionTimestamp": "2026-11-23T20:07:30Z"},
            }
        )

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._left_s -= seconds
        if self._left_s <= 0 < self._left_s + seconds:
            self._kube.objects.clear()
            self._kube.put(*all_pods())


def test_nothing_is_put_into_a_namespace_that_is_going_away() -> None:
    kube = cluster()
    raise_probes(kube, Leaving(kube, 5), NODES, "x")
    assert kube.get("v1", "Service", "probe", namespace=NAMESPACE)
    kube = cluster()
    with pytest.raises(ServiceFailed, match="still being removed"):
        raise_probes(kube, Leaving(kube, 100), NODES, "x", within_s=5)


def test_a_service_that_never_answers_is_left_to_the_checks() -> None:
    clock = StillClock()
    kube = cluster({**MET, "errors": 3}).put(*all_pods())
    start = clock.now()
    assert raise_probes(kube, clock, NODES, "x").pods
    assert (clock.now() - start).total_seconds() >= 10


def test_probes_are_removed_even_when_the_proof_fails() -> None:
    kube = cluster().put(*all_pods())
    with pytest.raises(RuntimeError, match="no"), probing(kube, StillClock(), NODES, "x"):
        assert kube.get("v1", "Namespace", NAMESPACE)
        raise RuntimeError("no")
    assert kube.objects == {}


def test_probes_are_removed_where_they_never_came_up() -> None:
    kube = cluster()
    with pytest.raises(ServiceFailed, match="no pod was created"), probing(kube, StillClock(), NODES, "x"):
        pytest.fail("not reached")
    assert kube.objects == {}


def test_only_the_probes_of_the_nodes_where_nothing_else_is_asked() -> None:
    kube = cluster().put(*all_pods())
    with on_every_node(kube, StillClock(), NODES, "x") as pods:
        assert pods == {node: f"probe-node-{node}" for node in NODES}
        assert {name for kind, _, name in kube.objects if kind in ("DaemonSet", "Service")} == {"probe-node"}
    assert kube.objects == {}


def test_probe_pods_run_anywhere_and_hold_no_token() -> None:
    sets = [m for m in manifests("image") if m["kind"] == "DaemonSet"]
    assert len(sets) == 3
    for item in sets:
        spec = item["spec"]["template"]["spec"]
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert spec["automountServiceAccountToken"] is False
        assert spec["containers"][0]["imagePullPolicy"] == "Never"
    assert [item["spec"]["template"]["spec"]["hostNetwork"] for item in sets] == [False, False, True]


def test_the_image_is_named_by_its_program_and_imported_once(tmp_path: Path) -> None:
    program = tmp_path / "probe"
    with pytest.raises(BadInput, match="no program `probe`"):
        probe_image.probe_image(tmp_path)
    program.write_bytes(b"\x7fELF one")
    first = probe_image.probe_image(tmp_path)
    program.write_bytes(b"\x7fELF two")
    second = probe_image.probe_image(tmp_path)
    assert first.reference != second.reference
    (asked,) = probe_image.questions()
    (change,) = probe_image.plan_node("oslo-2", second, facts("oslo-2", (asked, f"{first.reference}\n")))
    assert second.reference in change.subject
    both = facts("oslo-2", (asked, f"{first.reference}\n{second.reference}\n"))
    assert probe_image.plan_node("oslo-2", second, both) == []


def test_the_proxys_account_waits_for_its_token() -> None:
    kube, clock = MemoryKube(), StillClock()
    with pytest.raises(ServiceFailed, match="no token was issued in 20 s"):
        ensure(kube, clock)

    def issue(manifest: dict[str, object]) -> None:
        if manifest["kind"] == "Secret":
            manifest["data"] = {"token": "ZXktdG9rZW4="}

    kube = MemoryKube()
    kube.on_apply = issue
    account = ensure(kube, clock)
    assert account.token.reveal() == "ey-token"
    assert len(account.changed) == 3
    dry = ensure(MemoryKube(), clock, dry_run=True)
    assert len(dry.changed) == 3
    assert dry.token.reveal() == ""


def test_masquerade_all_is_refused_for_a_policy_of_either_cluster() -> None:
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "office", "namespace": "shop"},
        "spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "1.2.3.0/24"}}]}]},
    }
    target, source = MemoryKube(), MemoryKube().put(policy)
    refuse_hidden_clients(site(), target, source)
    staying = policy | {"metadata": {"name": "office", "namespace": "reports"}}
    refuse_hidden_clients(site(proxy=KubeProxy(masquerade_all=True)), target, MemoryKube().put(staying))
    with pytest.raises(BadInput, match="shop/office"):
        refuse_hidden_clients(site(proxy=KubeProxy(masquerade_all=True)), target, source)
    assert source.asked == []
    refuse_hidden_clients(site(proxy=KubeProxy(masquerade_all=True)), target, None)
    with pytest.raises(BadInput, match="shop/office"):
        refuse_hidden_clients(site(proxy=KubeProxy(masquerade_all=True)), target.put(policy), None)
