"""What each check of the cluster says of what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.kubernetes_version import Part, Version
from inventory.models.cluster import Role
from inventory.models.verdict import Verdict
from tasks.checks.context import ControlPlane
from tasks.checks.controlplane import certificates, cgroup_driver, endpoint, etcd_members, reserved, skew
from tasks.checks.registry import in_group, judge
from tasks.facts.certificates import Certificate
from tasks.facts.etcd import Member
from tasks.facts.kubelet_config import KubeletConfig
from tests.checks.admission.test_admission import Babbling, Clock, Dead
from tests.networks.cluster import MemoryKube
from tests.operations.places import NOW, site

LEAF = Certificate("/etc/kubernetes/pki/apiserver.crt", "CN=kube-apiserver", NOW, is_authority=False)
AUTHORITY = Certificate("/etc/kubernetes/pki/ca.crt", "CN=kubernetes", NOW, is_authority=True)
PLANES = site().target.nodes


def left(certificate: Certificate, days: float) -> Certificate:
    return replace(certificate, not_after=NOW + timedelta(days=days))


@pytest.mark.parametrize("kind", [Dead, Babbling])
def test_what_cannot_be_seen_is_never_a_pass(kind: Any) -> None:
    hosts: Mapping[str, Any] = {name: kind(name) for name in ("oslo-1", "oslo-2", "oslo-3")}
    checks = in_group("controlplane")
    findings = judge(checks, ControlPlane(site(), hosts, MemoryKube(), Clock()))
    assert {finding.code for finding in findings} == {check.code for check in checks}
    assert {finding.verdict for finding in findings} == {Verdict.ERROR}
    assert all(finding.remedy for finding in findings)


# -- certificates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(364, "pass"), (30, "pass"), (29.9, "warn"), (7, "warn"), (6.9, "fail"), (0.5, "fail"), (-3, "fail")],
)
def test_days_of_a_certificate(days: float, verdict: str) -> None:
    said = certificates.judge("oslo-1", [left(LEAF, days), left(AUTHORITY, 3000)], NOW)
    assert said.verdict == verdict
    assert (said.remedy == "") is (verdict == "pass")
    assert LEAF.path in said.observed


@pytest.mark.parametrize(("days", "verdict"), [(365, "pass"), (364, "warn"), (30, "warn"), (29, "fail")])
def test_days_of_an_authority(days: int, verdict: str) -> None:
    said = certificates.judge("oslo-1", [left(AUTHORITY, days), left(LEAF, 3000)], NOW)
    assert said.verdict == verdict


@given(st.lists(st.integers(-10, 400), min_size=1, max_size=8))
def test_the_worst_of_a_host_counts_and_each_is_named(days: list[int]) -> None:
    found = [replace(left(LEAF, each), path=f"/etc/{number}.crt") for number, each in enumerate(days)]
    said = certificates.judge("oslo-1", found, NOW)
    assert (said.verdict is Verdict.FAIL) is (min(days) < 7)
    assert all(f"/etc/{number}.crt" in said.observed for number, each in enumerate(days) if each < 30)


def test_each_kind_has_its_own_remedy() -> None:
    for path, words in (
        ("/etc/kubernetes/pki/apiserver.crt", "kubeadm certs renew"),
        ("/etc/kubernetes/admin.conf", "kubeadm certs renew"),
        ("/etc/etcd/pki/server.crt", "safe-harbor prepare"),
        ("/etc/kubernetes/pki/apiserver-etcd-client.crt", "safe-harbor prepare"),
        ("/var/lib/kubelet/pki/kubelet-client-current.pem", "restart kubelet"),
        ("/var/lib/kubelet/pki/kubelet.crt", "rm /var/lib/kubelet/pki/kubelet.crt"),
    ):
        assert words in certificates.judge("oslo-1", [left(replace(LEAF, path=path), 3)], NOW).remedy


def test_no_certificate_is_no_pass() -> None:
    assert certificates.judge("oslo-1", [], NOW).verdict is Verdict.NODATA


# -- versions -----------------------------------------------------------------------------------------------


def pod(component: str, node: str, image: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{component}-{node}", "labels": {"component": component}},
        "spec": {"nodeName": node, "containers": [{"image": image}]},
    }


def test_versions_are_read_from_the_objects() -> None:
    nodes = [{"metadata": {"name": "oslo-1"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.9"}}}]
    digest = "@sha256:" + "0" * 64
    pods = [
        pod("kube-apiserver", "oslo-1", f"registry.k8s.io:5000/kube-apiserver:v1.37.1{digest}"),
        pod("web", "oslo-1", "nginx"),
    ]
    assert skew.from_objects(nodes, pods) == [
        Part("kubelet", "oslo-1", Version(1, 36, 9)),
        Part("kube-apiserver", "oslo-1", Version(1, 37, 1)),
    ]
    with pytest.raises(ValueError, match="is no version"):
        skew.from_objects([], [pod("kube-scheduler", "oslo-1", "scheduler:latest")])


def test_a_node_that_is_ahead_fails_and_says_by_what() -> None:
    parts = [
        Part("kube-apiserver", "oslo-1", Version(1, 37, 1)),
        Part("kubelet", "oslo-1", Version(1, 37, 1)),
        Part("kubelet", "oslo-2", Version(1, 38, 0)),
    ]
    first, second = skew.judge(parts)
    assert (first.verdict, second.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert second.observed == "kubelet 1.38.0 is newer than the API server 1.37.1"


# -- kubelets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kubelet", "containerd", "version", "verdict"),
    [
        ("systemd", "systemd", 2, Verdict.PASS),
        ("cgroupfs", "cgroupfs", 1, Verdict.PASS),
        ("cgroupfs", "cgroupfs", 2, Verdict.WARN),
        ("cgroupfs", "systemd", 2, Verdict.FAIL),
        ("systemd", "cgroupfs", 1, Verdict.FAIL),
    ],
)
def test_the_drivers_must_agree(kubelet: str, containerd: str, version: int, verdict: Verdict) -> None:
    assert cgroup_driver.judge("oslo-1", kubelet, containerd, version).verdict is verdict


def test_something_must_be_reserved() -> None:
    nothing = KubeletConfig("systemd", {}, {})
    assert reserved.judge("oslo-1", nothing).verdict is Verdict.FAIL
    half = KubeletConfig("systemd", {"cpu": "60m"}, {})
    assert "no memory is reserved" in reserved.judge("oslo-1", half).observed
    both = KubeletConfig("systemd", {"cpu": "60m"}, {"memory": "280Mi"})
    assert reserved.judge("oslo-1", both).verdict is Verdict.PASS


# -- etcd and the endpoint ----------------------------------------------------------------------------------


def member(number: int, **over: Any) -> Member:
    made = Member(
        f"https://10.60.0.1{number}:2379", "3.7.3", number == 1, False, 1000, 1 << 20, 1 << 19, 0, ()
    )
    return replace(made, **over)


MEMBERS = [member(1), member(2), member(3)]


@pytest.mark.parametrize(
    ("members", "verdict", "words"),
    [
        (MEMBERS, Verdict.PASS, "3 of 3 serve"),
        (MEMBERS[:2], Verdict.FAIL, "oslo-3 does not serve"),
        ([], Verdict.FAIL, "oslo-1, oslo-2, oslo-3 does not serve"),
        ([*MEMBERS[:2], member(3, is_leader=True)], Verdict.FAIL, "2 members say that they lead"),
        ([*MEMBERS[1:], member(1, is_leader=False)], Verdict.FAIL, "0 members say that they lead"),
        (
            [*MEMBERS[:2], member(3, raft_index=0)],
            Verdict.PASS,
            "3 of 3",
        ),  # 1,000 behind is not more than that
        ([member(1, raft_index=5000), *MEMBERS[1:]], Verdict.FAIL, "lags by 4000 entries"),
        ([*MEMBERS[:2], member(3, errors=("NOSPACE",))], Verdict.FAIL, "NOSPACE"),
        ([*MEMBERS[:2], member(3, version="3.6.1")], Verdict.WARN, "versions 3.6.1, 3.7.3"),
        ([*MEMBERS[:2], member(3, database_bytes=1800 << 20)], Verdict.WARN, "of its quota"),
    ],
)
def test_members(members: list[Member], verdict: Verdict, words: str) -> None:
    said = etcd_members.judge("oslo", PLANES, members)
    assert (said.verdict, words in said.observed) == (verdict, True), said


def test_two_members_are_no_better_than_one() -> None:
    said = etcd_members.judge("oslo", PLANES[:2], MEMBERS[:2])
    assert (said.verdict, "2 members bear no more losses than 1" in said.observed) == (Verdict.WARN, True)


def test_the_endpoint_and_what_is_behind_it() -> None:
    servers = {f"10.60.0.1{number}:6443": "ok" for number in (1, 2, 3)}
    local = "127.0.0.1:16443"
    assert endpoint.judge("oslo-1", local, {local: "ok", **servers}).observed.endswith(
        "all 3 API servers answer"
    )
    one_gone = {local: "ok", **servers, "10.60.0.12:6443": "connection refused"}
    said = endpoint.judge("oslo-1", local, one_gone)
    assert (said.verdict, "10.60.0.12:6443" in said.observed) == (Verdict.WARN, True)
    assert endpoint.judge("oslo-1", local, {**servers, local: "EOF"}).verdict is Verdict.FAIL
    alone = endpoint.judge("oslo-1", "10.60.0.11:6443", {"10.60.0.11:6443": "ok"})
    assert (alone.verdict, "one API server" in alone.observed) == (Verdict.PASS, True)


def test_a_cluster_that_others_run_has_no_etcd_to_see() -> None:
    whole = site()
    nodes = tuple(node.model_copy(update={"roles": (Role.WORKER,)}) for node in whole.target.nodes)
    foreign = whole.model_copy(update={"target": whole.target.model_copy(update={"nodes": nodes})})
    context = ControlPlane(foreign, {}, MemoryKube(), Clock())
    assert list(etcd_members.run(context)) == []
    assert list(endpoint.run(context)) == []
