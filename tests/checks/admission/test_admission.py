"""What each admission check says of what it sees, and that it never passes what it did not see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.cluster import Role
from inventory.models.command import Shellable
from inventory.models.site import Side
from inventory.models.tuning import HostSize
from inventory.models.verdict import Verdict
from inventory.profile_files import load_profile
from tasks.checks.admission import (
    address_claims,
    clock,
    cpu,
    kernel,
    memory,
    mtu,
    ports,
    swap,
    tuning,
    unique,
    virt,
)
from tasks.checks.context import Admission
from tasks.checks.registry import in_group, judge
from tasks.checks.stolen import judge_stolen
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.facts.address_claims import Claims
from tasks.facts.cpu import CpuWindow
from tasks.facts.interfaces import Interface
from tasks.facts.machine_id import Identity
from tasks.facts.memory import Memory
from tasks.facts.modules import State
from tasks.facts.os_release import System
from tasks.facts.ports import Listener
from tasks.facts.sysctl import Setting
from tasks.facts.virtualization import Virtualization
from tasks.steps.examined import Observed
from tests.checks.admission.test_machines import MINE, OTHER
from tests.facts.test_recorded import KVM
from tests.operations.places import site

SYSTEM = System("debian", "12", "Debian GNU/Linux 12", "6.1.0-18-amd64", "x86_64")
PROFILE = load_profile("article-2016")
SIZE = HostSize(2, 4 << 20, 110, 3)


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a check does not sleep")


class Dead:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        raise HostUnreachable(self.name, "no SSH at 10.60.0.11:22: Connection refused", "check that it is up")


class Babbling(Dead):
    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        return Output(0, "\x1b[31mnonsense\x1b[0m", "", 0.0)


@pytest.mark.parametrize("kind", [Dead, Babbling])
def test_a_host_that_cannot_be_seen_is_an_error_for_every_check(kind: Any) -> None:
    hosts: Mapping[str, Any] = {name: kind(name) for name in ("oslo-1", "oslo-2", "oslo-3")}
    checks = in_group("admission")
    findings = judge(checks, Admission(site(), hosts, Clock()))
    assert len(findings) == 3 * len(checks)
    assert {finding.verdict for finding in findings} == {Verdict.ERROR}
    assert all(finding.remedy and "\x1b" not in finding.observed for finding in findings)


def test_every_admission_check_is_registered() -> None:
    codes = {check.code for check in in_group("admission")}
    assert codes >= {
        "ADM-VIRT", "ADM-STEAL", "ADM-KERNEL", "ADM-CLOCK", "ADM-MEM", "ADM-CPU", "ADM-SWAP", "ADM-PORTS",
        "ADM-UNIQUE", "ADM-MTU", "TUN-LIVE", "ADM-NOISE", "ADM-DISK", "ADM-FLAGS", "ADM-OFFLOAD", "ADM-PMTU",
        "ADM-ENTROPY", "ADM-CGROUP", "ADM-SSH", "ADM-DAD",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"detect_vm": "amazon", "dmi_vendor": "Amazon EC2", "dmi_product": "m5"}, Verdict.PASS),
        ({"dmi_vendor": "", "dmi_product": "", "clocksources": "tsc"}, Verdict.INCONCLUSIVE),
        ({"detect_vm": "xen"}, Verdict.FAIL),
        ({"detect_vm": "vmware"}, Verdict.FAIL),
        ({"detect_vm": "none"}, Verdict.FAIL),
        ({"detect_container": "openvz"}, Verdict.FAIL),
        ({"detect_container": "lxc"}, Verdict.FAIL),
        ({"detect_container": "systemd-nspawn"}, Verdict.FAIL),
        ({"detect_container": "docker"}, Verdict.FAIL),
        ({"openvz": "yes"}, Verdict.FAIL),
        ({"kthreadd": "no"}, Verdict.FAIL),  # a container that hides its name
    ],
)
def test_only_kvm_by_two_signs_passes(over: dict[str, str], verdict: Verdict) -> None:
    said = virt.judge(Virtualization({**KVM, **over}), MINE, {"oslo-2": OTHER})
    assert said.verdict is verdict
    assert bool(said.remedy) is (verdict is not Verdict.PASS)


@given(st.integers(100, 10**6), st.integers(0, 10**6))
def test_steal(total: int, stolen: int) -> None:
    window = CpuWindow(total, min(stolen, total), 0)
    few = min(stolen, total) / total < 0.02
    assert judge_stolen(window).verdict is (Verdict.PASS if few else Verdict.FAIL)
    under_a_container = judge_stolen(window, ("systemd-detect-virt says lxc",)).verdict
    assert under_a_container is (Verdict.PASS if few else Verdict.WARN)


def test_a_window_without_ticks_is_no_data() -> None:
    assert judge_stolen(CpuWindow(3, 0, 3)).verdict is Verdict.NODATA


def test_kernel() -> None:
    good = {"vxlan": State.PRESENT, "br_netfilter": State.LOADABLE}
    assert kernel.judge(SYSTEM, good, (4, 19)).verdict is Verdict.PASS
    assert "older than 6.2" in kernel.judge(SYSTEM, good, (6, 2)).observed
    lacking = kernel.judge(SYSTEM, {**good, "vxlan": State.MISSING}, (4, 19))
    assert (lacking.verdict, lacking.observed) == (Verdict.FAIL, "the kernel lacks vxlan")
    arm = System("debian", "12", "Debian", "6.1.0", "aarch64")
    assert kernel.judge(arm, good, (4, 19)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("offset_s", "doubt_s", "synchronized", "verdict"),
    [
        (0.01, 0.01, True, Verdict.PASS),
        (0.01, 0.01, False, Verdict.WARN),
        (-3600.0, 0.05, True, Verdict.FAIL),
        (0.4, 0.3, True, Verdict.INCONCLUSIVE),
        (0.6, 0.3, True, Verdict.INCONCLUSIVE),
    ],
)
def test_clock(offset_s: float, doubt_s: float, synchronized: bool, verdict: Verdict) -> None:
    assert clock.judge(offset_s, doubt_s, synchronized).verdict is verdict


class Drifting(Dead):
    """A host whose clock is an hour ahead, asked by the real question's shape."""

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        marker, question = command.arguments  # type: ignore[attr-defined]  # gather sends a Script
        ahead = (Clock().now() + timedelta(hours=1)).timestamp()
        answer = ahead if question.startswith("date") else "synchronized yes"
        return Output(0, f"\n{marker} begin 0\n{answer}\n\n{marker} end 0 0\n", "", 0.0)


def test_a_clock_that_is_an_hour_ahead_fails_with_evidence() -> None:
    hosts: Mapping[str, Any] = {"oslo-1": Drifting("oslo-1")}
    (finding,) = clock.run(Admission(site(), hosts, Clock()))
    assert finding.verdict is Verdict.FAIL
    assert finding.observed.startswith("+3600.000 s")
    assert "systemd-timesyncd" in finding.remedy
    assert finding.evidence[0].excerpt


def test_memory_processors_and_swap() -> None:
    small = Memory(900 * 1024, 500 * 1024, 0, (), 1)
    large = Memory(4 << 20, 3 << 20, 0, (), 4)
    assert memory.judge(small, memory.WORKER_KIB).verdict is Verdict.FAIL
    assert memory.judge(large, memory.PLANE_KIB).verdict is Verdict.PASS
    assert cpu.judge(small, cpu.PLANE).verdict is Verdict.FAIL
    assert cpu.judge(large, cpu.PLANE).verdict is Verdict.PASS
    assert swap.judge("h", large).verdict is Verdict.PASS
    assert swap.judge("h", Memory(1, 1, 2 << 20, ("/dev/vdb",), 1)).observed == "2048 MiB of swap on /dev/vdb"


def test_ports() -> None:
    wanted = ports.needed(site(), site().target.nodes[0])
    ours = [Listener("tcp", "*", 6443, "kube-apiserver"), Listener("tcp", "*", 10257, "kube-controller")]
    assert ports.judge(wanted, ours).verdict is Verdict.PASS
    assert ports.judge(wanted, [Listener("udp", "0.0.0.0", 8472, "")]).verdict is Verdict.PASS  # noqa: S104
    taken = ports.judge(
        wanted, [*ours, Listener("tcp", "*", 10250, "nginx"), Listener("tcp", "*", 8081, "nginx")]
    )
    assert (taken.verdict, taken.observed) == (Verdict.FAIL, "taken: tcp/10250 by nginx")
    assert ("tcp", 6443) not in ports.needed(site(), site().target.nodes[1])


def asked_ports(node: int = 1, **cluster: Any) -> set[str]:
    declared = site(**cluster)
    return {f"{protocol}/{port}" for protocol, port in ports.needed(declared, declared.target.nodes[node])}


@pytest.mark.parametrize(
    ("kind", "wanted", "left_out"),
    [
        ("flannel_vxlan", {"udp/8472", "tcp/10401"}, {"udp/51820", "tcp/179"}),
        ("flannel_wireguard", {"udp/51820", "tcp/10401"}, {"udp/8472", "tcp/179"}),
        ("flannel_host_gw", {"tcp/10401"}, {"udp/8472", "udp/51820", "tcp/179"}),
        ("bgp", {"tcp/179", "tcp/10401"}, {"udp/8472", "udp/51820"}),
        ("calico", {"tcp/179"}, {"udp/8472", "udp/51820", "tcp/10401"}),
    ],
)
def test_the_ports_of_the_declared_network_are_asked_for(
    kind: str, wanted: set[str], left_out: set[str]
) -> None:
    found = asked_ports(network={"kind": kind})
    assert wanted <= found
    assert not left_out & found


def test_a_declared_port_of_the_overlay_is_asked_for() -> None:
    assert "udp/4789" in asked_ports(network={"port": 4789})
    taken = ports.judge({("udp", 51820): ("",)}, [Listener("udp", "*", 51820, "openvpn")])
    assert taken.observed == "taken: udp/51820 by openvpn"


def test_the_ports_of_the_roles_are_asked_for() -> None:
    declared = site()
    data = {"tcp/3306", "tcp/5000", "tcp/9000"}
    assert "tcp/80" in asked_ports(0)
    assert "tcp/80" not in asked_ports(1)
    assert not data & asked_ports(0)  # none has a certificate: they are there already
    ours = {"certificate_file": Path("/c"), "key_file": Path("/k")}
    target = declared.target.model_copy(
        update={
            "database": declared.target.database.model_copy(update=ours),
            "registry": declared.target.registry.model_copy(update=ours),
            "bucket": declared.target.bucket.model_copy(
                update={**ours, "endpoint_url": "https://10.60.0.11:9000"}
            ),
        }
    )
    installed = declared.model_copy(update={"target": target})
    found = {f"{protocol}/{port}" for protocol, port in ports.needed(installed, target.nodes[0])}
    assert data <= found
    assert not data & {f"{protocol}/{port}" for protocol, port in ports.needed(installed, target.nodes[1])}


def test_the_way_to_several_api_servers_has_a_port_on_every_node() -> None:
    declared = site()
    planes = tuple(node.model_copy(update={"roles": (Role.CONTROL_PLANE,)}) for node in declared.target.nodes)
    several = declared.model_copy(update={"target": declared.target.model_copy(update={"nodes": planes})})
    assert ports.needed(several, planes[2])[("tcp", 16443)] == ("haproxy",)
    assert "tcp/16443" not in asked_ports()


def test_a_cluster_that_is_only_looked_at_needs_no_port_of_ours() -> None:
    declared = site()
    side = Side(nodes=declared.target.nodes, cluster=declared.target.cluster)
    subject = Observed("article-2016", None, side, declared.workload)
    found = ports.needed(subject, declared.target.nodes[0])
    assert ("udp", 8472) in found
    assert not {("tcp", 10401), ("tcp", 80), ("tcp", 16443)} & set(found)


def interface(mac: str, address: str) -> dict[str, Interface]:
    return {"eth0": Interface("eth0", 1500, mac, True, (address,))}


def test_copies_are_told_apart() -> None:
    alone = {"a": Identity("1" * 32, "u1", "a"), "b": Identity("2" * 32, "u2", "b")}
    nets = {"a": interface("m1", "10.0.0.1/24"), "b": interface("m2", "10.0.0.2/24")}
    declared = {"a": "10.0.0.1", "b": "10.0.0.2"}
    assert unique.judge("a", declared, alone, nets, "eth0").verdict is Verdict.PASS
    cloned = {**alone, "b": Identity("1" * 32, "u1", "b")}
    said = unique.judge("a", declared, cloned, {**nets, "b": interface("m1", "10.0.0.2/24")}, "eth0")
    assert said.verdict is Verdict.FAIL
    for what in ("machine id", "product UUID", "hardware address"):
        assert what in said.observed
    elsewhere = {**declared, "a": "10.0.0.9"}
    assert "declared is 10.0.0.9" in unique.judge("a", elsewhere, alone, nets, "eth0").observed
    assert "no interface ens3" in unique.judge("a", declared, alone, nets, "ens3").observed


def test_the_address_of_another_declared_host_stands_on_this_one() -> None:
    identities = {"a": Identity("1" * 32, "u1", "a")}  # the other one does not even answer
    nets = {
        "a": {
            **interface("m1", "10.0.0.1/24"),
            "dummy0": Interface("dummy0", 1500, "m3", True, ("10.0.0.2/32",)),
        }
    }
    said = unique.judge("a", {"a": "10.0.0.1", "b": "10.0.0.2"}, identities, nets, "eth0")
    assert (said.verdict, said.observed) == (Verdict.FAIL, "dummy0 has 10.0.0.2, which is declared for b")


def test_an_address_that_another_machine_claims() -> None:
    alone = address_claims.judge("10.0.0.1", "eth0", Claims())
    assert (alone.verdict, alone.observed) == (Verdict.PASS, "nobody else on eth0 answers for 10.0.0.1")
    twice = address_claims.judge("10.0.0.1", "eth0", Claims(("52:54:00:00:00:07",)))
    assert twice.verdict is Verdict.FAIL
    assert "52:54:00:00:00:07" in twice.observed
    unasked = address_claims.judge("10.0.0.1", "eth0", Claims(unasked="there is no perl"))
    assert unasked.verdict is Verdict.WARN
    assert "arping -D -c 2" in unasked.remedy


def test_mtu() -> None:
    assert mtu.judge("a", {"a": 1500, "b": 1500}).verdict is Verdict.PASS
    assert mtu.judge("a", {"a": 1300, "b": 1300}).verdict is Verdict.FAIL
    odd = mtu.judge("c", {"a": 1500, "b": 1500, "c": 1450})
    assert (odd.verdict, odd.observed) == (Verdict.FAIL, "MTU 1450, others have a 1500, b 1500")


def settings(value: str | None, *, writable: bool) -> dict[str, Setting]:
    return {key: Setting(key, value, writable) for key in PROFILE.keys}


def test_what_cannot_be_set_live_is_shown_and_never_hidden() -> None:
    assert tuning.judge(PROFILE, settings("1", writable=True), SIZE).observed.startswith(
        "6 to be set by prepare"
    )
    stuck = tuning.judge(PROFILE, settings("1", writable=False), SIZE)
    assert stuck.verdict is Verdict.WARN
    assert "net.netfilter.nf_conntrack_max is 1 and read-only (wanted 131072)" in stuck.observed
    missing = tuning.judge(PROFILE, settings(None, writable=False), SIZE)
    assert missing.verdict is Verdict.WARN
    assert "net.ipv4.ip_forward does not exist here (wanted 1)" in missing.observed
    assert tuning.judge(PROFILE, settings(None, writable=False), SIZE, loadable=True).verdict is Verdict.PASS
