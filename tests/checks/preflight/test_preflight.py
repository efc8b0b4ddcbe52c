"""What the preflight says of hosts and of a declaration; all of it is asked, a waived one is still shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.kubernetes_version import Version
from inventory.models.cluster import ProxyMode, Role
from inventory.models.finding import Waiver
from inventory.models.verdict import Verdict
from tasks.checks.context import Admission
from tasks.checks.preflight import (
    checksums,
    controllers,
    hostname,
    nameserver,
    nft,
    programs,
    reach,
    system,
    systemd,
    version,
)
from tasks.checks.registry import in_group, judge
from tasks.drivers import checksums as lists
from tasks.drivers.local_program import kubernetes_version
from tasks.facts import nft_version
from tasks.facts.host_basics import Basics
from tasks.facts.os_release import System
from tasks.gates.decision import decide
from tests.checks.admission.test_admission import Babbling, Clock, Dead
from tests.operations.places import site

GOOD = Basics(
    "systemd",
    "oslo-1",
    ("10.0.0.53",),
    ("10.60.0.11",),
    frozenset(("cpu", "cpuset", "memory", "pids", "io")),
    frozenset(("ip", "iptables", "mount", "nsenter", "apt-get")),
)
LOCAL = {"PRE-CHECKSUMS", "PRE-ODD", "PRE-OVERLAP", "PRE-PODS", "PRE-ROOM", "PRE-VERSION"}


@pytest.mark.parametrize("kind", [Dead, Babbling])
def test_a_host_that_cannot_be_seen_is_never_a_pass(kind: Any) -> None:
    hosts: Mapping[str, Any] = {name: kind(name) for name in ("oslo-1", "oslo-2", "oslo-3")}
    findings = judge(in_group("preflight"), Admission(site(), hosts, Clock()))
    assert {finding.code for finding in findings} == {check.code for check in in_group("preflight")}
    of_hosts = [finding for finding in findings if finding.code not in LOCAL]
    assert {finding.verdict for finding in of_hosts} == {Verdict.ERROR}
    assert all(finding.remedy and "\x1b" not in finding.observed for finding in of_hosts)


def test_every_rule_has_its_check() -> None:
    assert {check.code for check in in_group("preflight")} == LOCAL | {
        "PRE-BINARIES", "PRE-CGROUP", "PRE-HOSTNAME", "PRE-NAMESERVER", "PRE-NFT", "PRE-OS", "PRE-REACH",
        "PRE-SYSTEMD",
    }  # fmt: skip


def test_process_1_and_the_name_server() -> None:
    assert systemd.judge("oslo-1", GOOD).verdict is Verdict.PASS
    assert systemd.judge("oslo-1", replace(GOOD, init="init")).verdict is Verdict.FAIL
    assert nameserver.judge("oslo-1", GOOD).verdict is Verdict.PASS
    assert nameserver.judge("oslo-1", replace(GOOD, nameservers=())).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"hostname": "oslo-1.fjordshop.example"}, Verdict.PASS),
        ({"hostname": "Oslo_1"}, Verdict.FAIL),
        ({"hostname": "-oslo"}, Verdict.FAIL),
        ({"resolved": ()}, Verdict.WARN),
        ({"resolved": ("127.0.1.1",)}, Verdict.PASS),  # as Debian's installer writes it
        ({"resolved": ("10.60.0.11", "10.9.9.9")}, Verdict.FAIL),
    ],
)
def test_the_hosts_name(over: dict[str, Any], verdict: Verdict) -> None:
    assert hostname.judge("oslo-1", "10.60.0.11", replace(GOOD, **over)).verdict is verdict


def test_controllers() -> None:
    assert controllers.judge("oslo-1", GOOD).verdict is Verdict.PASS
    said = controllers.judge("oslo-1", replace(GOOD, controllers=GOOD.controllers - {"memory"}))
    assert (said.verdict, said.observed) == (Verdict.FAIL, "the kernel has no controller memory")
    assert controllers.judge("oslo-1", replace(GOOD, controllers=frozenset())).verdict is Verdict.FAIL


def test_programs_that_can_be_installed_are_no_fault() -> None:
    bare = replace(GOOD, programs=frozenset(("mount", "nsenter", "apt-get")))
    said = programs.judge("oslo-1", bare)
    assert (said.verdict, said.observed) == (Verdict.PASS, "to be installed by prepare: ip, iptables")
    assert (
        programs.judge("oslo-1", replace(bare, programs=bare.programs - {"apt-get"})).verdict is Verdict.FAIL
    )
    assert (
        programs.judge("oslo-1", replace(GOOD, programs=GOOD.programs - {"nsenter"})).verdict is Verdict.FAIL
    )


@pytest.mark.parametrize(
    ("answer", "verdict", "observed"),
    [
        ("installed nftables v1.0.6 (Lester Gooch #5)\n", Verdict.PASS, "nft 1.0.6"),
        ("installed nftables v1.0.1 (Fearless Fosdick #3)\n", Verdict.PASS, "nft 1.0.1"),
        ("installed nftables v0.9.8 (E.D.S.)\n", Verdict.FAIL, "nft 0.9.8 is older than 1.0.1"),
        ("candidate 1.1.3-1\n", Verdict.PASS, "nft 1.1.3, by prepare"),
        (
            "candidate 0.9.8-3.1+deb11u2\n",
            Verdict.FAIL,
            "the package of nft is 0.9.8, which is older than 1.0.1",
        ),
        ("candidate \n", Verdict.WARN, "nft is not installed, and no package of it is known"),
        ("candidate (none)\n", Verdict.WARN, "nft is not installed, and no package of it is known"),
    ],
)
def test_nft_for_kube_proxy(answer: str, verdict: Verdict, observed: str) -> None:
    found = nft_version.parse(answer)
    said = nft.judge(ProxyMode.NFTABLES, found)
    assert (said.verdict, said.observed) == (verdict, observed)
    assert bool(said.remedy) is (verdict is not Verdict.PASS)
    assert nft.judge(ProxyMode.IPTABLES, found).verdict is Verdict.PASS


def test_an_nft_without_a_version_is_unreadable() -> None:
    for nonsense in ("installed \n", "", "nft: command not found"):
        with pytest.raises(ValueError, match="no version"):
            nft_version.parse(nonsense)


@pytest.mark.parametrize(
    ("name", "number", "verdict"),
    [
        ("debian", "12", Verdict.PASS),
        ("debian", "10", Verdict.FAIL),
        ("ubuntu", "22.04", Verdict.PASS),
        ("ubuntu", "20.04", Verdict.FAIL),
        ("debian", "", Verdict.INCONCLUSIVE),  # testing and sid have no number
        ("fedora", "43", Verdict.FAIL),
    ],
)
def test_systems(name: str, number: str, verdict: Verdict) -> None:
    assert system.judge("oslo-1", System(name, number, name, "6.1.0", "x86_64")).verdict is verdict


def test_a_silent_neighbour_is_named() -> None:
    names = {"10.60.0.12": "oslo-2", "10.60.0.13": "oslo-3"}
    assert reach.judge(names, dict.fromkeys(names, True)).verdict is Verdict.PASS
    said = reach.judge(names, {"10.60.0.12": True, "10.60.0.13": False})
    assert (said.verdict, said.observed) == (Verdict.FAIL, "no answer from oslo-3 (10.60.0.13)")


def test_another_version_runs_already() -> None:
    declared = Version(1, 37, 1)
    assert version.judge(declared, None).verdict is Verdict.PASS
    assert version.judge(declared, declared).verdict is Verdict.PASS
    said = version.judge(declared, Version(1, 36, 9))
    assert (said.verdict, "safe-harbor upgrade SITE --to 1.37.1" in said.remedy) == (Verdict.FAIL, True)


def program(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho {says}\n")
    (folder / name).chmod(0o755)


def test_the_programs_tell_their_version(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither kubeadm nor kubernetes"):
        kubernetes_version(tmp_path)
    program(tmp_path, "kubernetes", "v1.37.1")
    assert kubernetes_version(tmp_path) == Version(1, 37, 1)
    program(tmp_path, "kubeadm", "nothing")
    with pytest.raises(BadInput, match="does not tell its version"):
        kubernetes_version(tmp_path)


def test_the_list_of_programs(tmp_path: Path) -> None:
    names = ("containerd", "etcd", "flanneld", "kubernetes")
    for name in names:
        (tmp_path / name).write_text(name)
    assert lists.read(tmp_path) is None
    lists.write(tmp_path)
    listed = lists.read(tmp_path)
    assert listed is not None
    assert set(listed) == set(names)
    assert lists.differing(tmp_path, listed) == ()
    (tmp_path / "etcd").write_text("another")
    (tmp_path / "flanneld").unlink()
    assert lists.differing(tmp_path, listed) == ("etcd", "flanneld")
    (tmp_path / lists.NAME).write_text("no digest\n")
    with pytest.raises(BadInput, match="SHA256SUMS:1: is no line of sha256sum's"):
        lists.read(tmp_path)


def test_what_is_said_of_the_list() -> None:
    whole = dict.fromkeys(("containerd", "etcd", "flanneld", "kubelet"), "0" * 64)
    assert checksums.judge(whole, ()).verdict is Verdict.PASS
    assert checksums.judge(None, ()).verdict is Verdict.WARN
    assert checksums.judge(whole, ("etcd",)).verdict is Verdict.FAIL
    assert (
        checksums.judge({"etcd": "0" * 64}, ()).observed == "the list has no containerd, flanneld, kubernetes"
    )


def of_two_planes() -> Any:
    whole = site()
    first, second, third = whole.target.nodes
    nodes = (first, second.model_copy(update={"roles": (Role.CONTROL_PLANE,)}), third)
    return whole.model_copy(update={"target": whole.target.model_copy(update={"nodes": nodes})})


def waiver(expires: date) -> Waiver:
    reason, approver = "The third one comes next week.", "Kari Nordmann"
    return Waiver(check="PRE-ODD", subject="site", reason=reason, approver=approver, expires=expires)


def test_a_waived_rule_runs_and_is_shown_and_stops_once_the_waiver_has_expired() -> None:
    odd = [check for check in in_group("preflight") if check.code == "PRE-ODD"]
    findings = judge(odd, Admission(of_two_planes(), {}, Clock()))
    assert [finding.verdict for finding in findings] == [Verdict.FAIL]
    today = datetime(2026, 11, 23, tzinfo=UTC).date()
    for expires, go in ((date(2026, 11, 23), True), (date(2026, 11, 22), False)):
        decision = decide(findings, [waiver(expires)], today)
        assert decision.go is go
        assert decision.findings[0].verdict is Verdict.FAIL
        assert decision.findings[0].waived_by == ("Kari Nordmann" if go else None)
