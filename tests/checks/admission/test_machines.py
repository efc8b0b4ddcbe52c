"""What the checks of processors, disks, interfaces, paths and logins say of what they see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.verdict import Verdict
from tasks.checks.admission import (
    cgroups,
    clock,
    contention,
    disk,
    entropy,
    flags,
    logins,
    offloads,
    path_mtu,
    virt,
)
from tasks.facts.contention import Contention
from tasks.facts.cpu import CpuWindow
from tasks.facts.disk_sync import DiskSync
from tasks.facts.entropy import Entropy
from tasks.facts.kernel_instance import FIRST_PID_NAMESPACE, KernelInstance
from tasks.facts.offloads import Feature
from tasks.facts.path_mtu import Path
from tasks.facts.virtualization import Virtualization
from tests.facts.test_recorded import KVM

BOOTED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
MINE = KernelInstance(
    "a" * 36, BOOTED, 10_000, "6.1.0-18-amd64 #1 SMP", True, FIRST_PID_NAMESPACE, "0::/init.scope"
)
OTHER = replace(MINE, boot_id="b" * 36, booted_at=BOOTED + 40, forks=12_000)
IS_KVM = Virtualization(KVM)


def test_two_machines_with_kernels_of_their_own_pass() -> None:
    assert virt.judge(IS_KVM, MINE, {"b": OTHER}).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("mine", "sign"),
    [
        (replace(MINE, boot_id=OTHER.boot_id), "the boot id is also that of b"),
        (replace(MINE, pid_namespace=4026532601), "its PID namespace is 4026532601"),
        (replace(MINE, init_cgroup="0::/lxc.payload.n1/init.scope"), "/proc/1/cgroup names lxc"),
    ],
)
def test_one_certain_sign_of_a_shared_kernel_is_enough(mine: KernelInstance, sign: str) -> None:
    said = virt.judge(IS_KVM, mine, {"b": OTHER})
    assert said.verdict is Verdict.FAIL
    assert sign in said.observed


def test_uncertain_signs_count_together() -> None:
    twin = replace(MINE, boot_id="c" * 36, forks=10_040, booted_at=BOOTED + 0.01)
    alone = virt.judge(IS_KVM, MINE, {"b": twin})
    assert (
        alone.verdict,
        "booted at the same instant, and as many processes since, as b" in alone.observed,
    ) == (
        Verdict.INCONCLUSIVE,
        True,
    )
    bare = replace(MINE, has_modules=False)
    assert virt.judge(IS_KVM, bare, {}).verdict is Verdict.INCONCLUSIVE
    assert virt.judge(IS_KVM, bare, {"b": twin}).verdict is Verdict.FAIL


def test_a_namespace_that_is_not_shown_is_no_sign() -> None:
    assert virt.judge(IS_KVM, replace(MINE, pid_namespace=None), {}).verdict is Verdict.PASS


@given(st.lists(st.floats(0, 60_000), min_size=1, max_size=300))
def test_percentiles_are_of_the_list_and_rise(times: list[float]) -> None:
    found = DiskSync(tuple(sorted(times)))
    assert found.percentile_ms(50) in times
    assert (
        found.percentile_ms(50) <= found.percentile_ms(99) <= found.times_ms[-1] == found.percentile_ms(100)
    )


FAST, SLOW = DiskSync((0.5,) * 99 + (1.0,)), DiskSync((2.0,) * 98 + (12.0, 40.0))


def test_a_slow_disk_fails_where_etcd_will_be() -> None:
    assert disk.judge(FAST, has_etcd=True).verdict is Verdict.PASS
    said = disk.judge(SLOW, has_etcd=True)
    assert (said.verdict, said.observed) == (Verdict.FAIL, "p50 2.0 ms, p99 12.0 ms, longest 40.0 ms")
    assert disk.judge(SLOW, has_etcd=False).verdict is Verdict.WARN
    assert disk.judge(SLOW, has_etcd=True, container_signs=("lxc",)).verdict is Verdict.WARN


QUIET = Contention(
    2.6, 2.0, (0.0,) * 99 + (0.4,), busy=0.12, own=0.10, waiting=0.03, window=CpuWindow(1000, 0, 880)
)
NOISY = Contention(
    3.4,
    2.0,
    (0.0,) * 50 + (4.0,) * 48 + (9.0, 20.0),
    busy=1.0,
    own=0.10,
    waiting=0.97,
    window=CpuWindow(1000, 0, 880),
)


def test_a_neighbour_is_named_with_the_latency_that_it_costs() -> None:
    assert contention.judge(QUIET).verdict is Verdict.PASS
    said = contention.judge(NOISY, ("systemd-detect-virt says lxc",))
    assert said.verdict is Verdict.WARN
    assert said.observed.startswith("a noisy neighbour uses 90% of the processors: a burst of 2.0 ms waits")
    assert "p99 9.0 ms" in said.observed
    assert contention.judge(NOISY).verdict is Verdict.FAIL


def test_waiting_without_a_neighbour_that_is_seen_fails_without_naming_one() -> None:
    for own in (1.0, None):
        said = contention.judge(replace(NOISY, own=own, waiting=None))
        assert (said.verdict, "neighbour uses" in said.observed) == (Verdict.FAIL, False)


ALL = flags.X86_64_V2 | flags.WANTED | {"avx2"}


def test_processors() -> None:
    assert flags.judge("a", {"a": ALL, "b": ALL}).verdict is Verdict.PASS
    old = flags.judge("a", {"a": ALL - {"popcnt"}, "b": ALL})
    assert (old.verdict, old.observed) == (Verdict.FAIL, "not x86-64-v2: popcnt missing")
    slow = flags.judge("a", {"a": ALL - {"aes", "avx2"}, "b": ALL})
    assert (slow.verdict, slow.observed) == (Verdict.WARN, "aes missing; other hosts have aes, avx2")
    assert "host-passthrough" in slow.remedy


def test_random_numbers_and_cgroups() -> None:
    assert entropy.judge("a", Entropy(256, "virtio_rng.0")).verdict is Verdict.PASS
    assert entropy.judge("a", Entropy(40, "")).verdict is Verdict.FAIL
    assert cgroups.judge("a", 2).verdict is Verdict.PASS
    assert cgroups.judge("a", 1).verdict is Verdict.WARN


FEATURES = {name: Feature(True, False) for name in (*offloads.NEEDED, *offloads.VXLAN)}


@pytest.mark.parametrize(
    ("over", "verdict", "says"),
    [
        ({}, Verdict.PASS, "all on, those of VXLAN too"),
        ({"tx-udp_tnl-segmentation": Feature(False, True)}, Verdict.PASS, "the kernel itself cuts VXLAN"),
        ({"tx-udp_tnl-segmentation": Feature(False, False)}, Verdict.WARN, "off: tx-udp_tnl-segmentation"),
        ({"scatter-gather": Feature(False, True)}, Verdict.WARN, "eth0 has no scatter-gather"),
    ],
)
def test_offloads(over: dict[str, Feature], verdict: Verdict, says: str) -> None:
    said = offloads.judge("eth0", FEATURES | over)
    assert said.verdict is verdict
    assert says in said.observed


def test_offloads_that_nobody_can_read_are_no_pass() -> None:
    assert offloads.judge("eth0", None).verdict is Verdict.WARN


NAMES = {"10.0.0.2": "b", "10.0.0.3": "c"}


@pytest.mark.parametrize(
    ("paths", "verdict", "says"),
    [
        (
            {"10.0.0.2": Path(1500, True, True), "10.0.0.3": Path(1500, True, True)},
            Verdict.PASS,
            "1500 bytes pass to 2",
        ),
        (
            {"10.0.0.2": Path(1500, True, False), "10.0.0.3": Path(1500, True, True)},
            Verdict.FAIL,
            "1500 bytes do not pass to b",
        ),
        ({"10.0.0.2": Path(1500, False, False)}, Verdict.INCONCLUSIVE, "no answer to any ping from b"),
        (None, Verdict.NODATA, "the host has no ping"),
    ],
)
def test_the_paths_mtu(paths: dict[str, Path] | None, verdict: Verdict, says: str) -> None:
    said = path_mtu.judge(NAMES, paths)
    assert said.verdict is verdict
    assert says in said.observed


def test_a_single_host_has_no_path() -> None:
    assert path_mtu.judge({}, {}).verdict is Verdict.PASS


KEYS_ONLY = {
    "permitrootlogin": "without-password",
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
}


@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"permitrootlogin": "yes"}, Verdict.PASS),  # with keys only, that is by key
        ({"passwordauthentication": "yes"}, Verdict.WARN),
        ({"kbdinteractiveauthentication": "yes"}, Verdict.WARN),
        ({"passwordauthentication": "yes", "permitrootlogin": "yes"}, Verdict.FAIL),
        ({"kbdinteractiveauthentication": "yes", "permitemptypasswords": "yes"}, Verdict.FAIL),
    ],
)
def test_logins(over: dict[str, str], verdict: Verdict) -> None:
    assert logins.judge("a", KEYS_ONLY | over).verdict is verdict


def test_a_clock_off_its_own_servers_fails() -> None:
    assert clock.judge(0.01, 0.01, True, 0.0003).verdict is Verdict.PASS
    said = clock.judge(0.01, 0.01, True, -2.5)
    assert (said.verdict, "-2.500000 s off its servers" in said.observed) == (Verdict.FAIL, True)
