"""The facts of a machine's processors, disk, interfaces and logins against what real programs printed.

Recorded on a virtual machine that shares its processors (Debian 12, cgroup v1, PSI).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.facts import (
    clock,
    contention,
    cpu_flags,
    disk_sync,
    entropy,
    kernel_instance,
    offloads,
    path_mtu,
    sshd,
)

DATA = Path(__file__).parents[1] / "data" / "facts"


def recorded(name: str) -> str:
    return (DATA / f"{name}.machine.txt").read_text()


def test_contention() -> None:
    found = contention.parse(recorded("contention"))
    assert len(found.waits_ms) == 40
    assert found.waits_ms[0] == 0 <= found.wait_ms(50) <= found.wait_ms(99) <= found.waits_ms[-1]
    assert 0 < found.burst_ms < 20
    assert found.busy > 0.5  # others were at work on it
    assert found.waiting is not None
    assert found.own is not None
    assert found.others == pytest.approx(max(0.0, found.busy - found.own))


READING = "at_us {at}\nwaiting_us {waiting}\nticks {ticks}\n"
READING += "all_ticks {all_ticks}\nstolen_ticks {stolen}\nown_us {own}\n"
BEFORE = READING.format(at=0, waiting=0, ticks=100, all_ticks=500, stolen=3, own=0)
AFTER = READING.format(at=1_000_000, waiting=600_000, ticks=280, all_ticks=700, stolen=7, own=200_000)
REST = "processors 2\nticks_a_second 100\n"


def test_contention_tells_the_others_from_itself() -> None:
    found = contention.parse(f"{BEFORE}burst_us 2000\nburst_us 5000\n{AFTER}{REST}")
    assert (found.busy, found.own, found.others, found.waiting) == (0.9, 0.1, 0.8, 0.6)
    assert found.waits_ms == (0.0, 3.0)
    assert (found.window.total, found.window.steal) == (200, 0.02)


def test_contention_says_what_a_host_does_not_show() -> None:
    text = "".join(
        f"{line}\n"
        for line in f"{BEFORE}burst_us 2000\n{AFTER}{REST}".splitlines()
        if not line.startswith(("waiting_us", "own_us"))
    )
    found = contention.parse(text)
    assert (found.own, found.others, found.waiting) == (None, None, None)


@pytest.mark.parametrize("text", ["", BEFORE + REST, f"{BEFORE}burst_us 1\n{BEFORE}{REST}"])
def test_contention_refuses_half_an_answer(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        contention.parse(text)


def test_kernel_instance() -> None:
    found = kernel_instance.parse(recorded("kernel_instance"))
    assert found.pid_namespace == kernel_instance.FIRST_PID_NAMESPACE
    assert not found.has_modules
    assert found.container_signs() == ()
    assert found.looks_like(found)
    assert found.forks > 1000
    with pytest.raises(ValueError, match="no boot id"):
        kernel_instance.parse("x\t1.0\t1.0\t1\tk\tyes\t\t0::/")


def test_disk_sync() -> None:
    found = disk_sync.parse(recorded("disk_sync"))
    assert len(found.times_ms) == 40
    assert 0 < found.times_ms[0] <= found.percentile_ms(99) <= found.times_ms[-1] < 5000
    for text in ("", "dd: failed to open\n"):
        with pytest.raises(ValueError, match=r"no time in|nothing was written"):
            disk_sync.parse(text)


def test_offloads() -> None:
    found = offloads.parse(recorded("offloads"))
    assert found is not None
    assert found["generic-receive-offload"] == offloads.Feature(True, False)
    assert found["tx-udp_tnl-segmentation"] == offloads.Feature(False, True)
    assert offloads.parse("no ethtool\n") is None
    for text in ("", "Features for eth0:\nrx: perhaps\n"):
        with pytest.raises(ValueError, match=r"no features|not a feature|unpack"):
            offloads.parse(text)


def test_path_mtu() -> None:
    found = path_mtu.parse(recorded("path_mtu"))
    assert found is not None
    assert found["127.0.0.1"].small
    assert not found["192.0.2.99"].small  # TEST-NET-1: nobody is there
    assert path_mtu.parse("no ping\n") is None
    with pytest.raises(ValueError, match="not a path"):
        path_mtu.parse("10.0.0.1\t1500\tyes\tperhaps\n")


def test_sshd() -> None:
    assert sshd.parse(recorded("sshd"))["permitrootlogin"] == "without-password"
    with pytest.raises(ValueError, match="does not tell passwordauthentication"):
        sshd.parse("permitrootlogin no\n")


def test_entropy_and_flags() -> None:
    assert entropy.parse(recorded("entropy")) == entropy.Entropy(256, "virtio_rng.0")
    assert entropy.parse("40\tnone\n") == entropy.Entropy(40, "")
    assert {"aes", "popcnt", "hypervisor"} <= cpu_flags.parse(recorded("cpu_flags"))
    assert cpu_flags.parse("flags\t: a b c\nflags\t: a c\n") == {"a", "c"}
    with pytest.raises(ValueError, match="no processor features"):
        cpu_flags.parse("")


@pytest.mark.parametrize(
    ("said", "offset_s"),
    [("+1.234ms", 0.001234), ("-58us", -0.000058), ("+1min 2.5s", 62.5), ("0.000012345s", 0.000012345)],
)
def test_an_ntp_clients_offset(said: str, offset_s: float) -> None:
    found = clock.parse_keeping(f"synchronized yes\noffset {said}\n")
    assert found.offset_s == pytest.approx(offset_s)
    assert clock.parse_keeping("synchronized yes\n") == clock.Keeping(synchronized=True)
    with pytest.raises(KeyError):
        clock.parse_keeping("synchronized perhaps\n")
