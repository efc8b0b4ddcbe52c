"""The lock of a host against a real OpenSSH server: two runs, a dead one, a silent one, a lost connection."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.models.command import Command
from tasks.drivers import ssh_lock
from tasks.drivers.errors import CommandFailed, HostLocked
from tasks.drivers.ssh import SshHost
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="sshd must log in as root on its loopback port")

_HOLDING = """
import sys, time
from pathlib import Path
from tasks.drivers import ssh_lock
from tasks.drivers.ssh import SshHost
from tests.drivers.sshd import Sshd
ssh_lock.PATH = sys.argv[3]
sshd = Sshd(Path(sys.argv[1]), int(sys.argv[2]), None)
SshHost(sshd.node(), sshd.ssh()).lock("ola on lead-2, process 7")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with servers.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    monkeypatch.setattr(ssh_lock, "PATH", str(path))
    return path


@pytest.fixture
def kari(sshd: Sshd, lock: Path) -> Iterator[SshHost]:
    with SshHost(sshd.node(), sshd.ssh()) as host:
        yield host


@pytest.fixture
def ola(sshd: Sshd, lock: Path) -> Iterator[SshHost]:
    with SshHost(sshd.node(), sshd.ssh()) as host:
        yield host


def test_the_second_run_is_told_who_is_at_it_and_may_come_after_it(kari: SshHost, ola: SshHost) -> None:
    kari.lock("kari on lead-1, process 4711")
    kari.lock("kari on lead-1, process 4711")
    kari.check(Command.of("true"))
    with pytest.raises(HostLocked) as caught:
        ola.lock("ola on lead-2, process 7")
    assert str(caught.value).startswith("oslo-1: is being changed by kari on lead-1, process 4711, since 20")
    assert str(caught.value).endswith("Z; let that run end, then run again; "
                                      "a dead run's lock is let go within 20 s")  # fmt: skip
    assert ola.check(Command.of("echo", "looking is allowed")) == "looking is allowed\n"
    kari.close()
    ola.lock("ola on lead-2, process 7")
    with pytest.raises(HostLocked, match="ola on lead-2"):
        kari.lock("kari on lead-1, process 4711")


def test_a_host_can_be_let_go_without_hanging_up(kari: SshHost, ola: SshHost) -> None:
    kari.lock("kari on lead-1")
    transport = kari._link.transport
    kari.unlock()
    ola.lock("ola on lead-2")
    assert kari.check(Command.of("echo", "still there")) == "still there\n"
    assert kari._link.transport is transport
    with pytest.raises(HostLocked, match="ola"):
        kari.lock("kari on lead-1")


@pytest.fixture
def holding(sshd: Sshd, lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock."""
    argv = [sys.executable, "-c", _HOLDING, str(sshd.folder), str(sshd.port), str(lock)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_killed_run_lets_go_at_once(kari: SshHost, holding: subprocess.Popen[str]) -> None:
    with pytest.raises(HostLocked, match="ola on lead-2"):
        kari.lock("kari on lead-1")
    holding.kill()
    holding.wait()
    deadline = time.monotonic() + 5
    while True:
        try:
            kari.lock("kari on lead-1")
        except HostLocked:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break


@pytest.mark.slow
def test_a_silent_run_lets_go_and_notices_it(
    kari: SshHost, ola: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_lock, "SILENT_S", 1)
    monkeypatch.setattr(ssh_lock, "_BEAT_S", 600.0)  # as a machine that sleeps
    kari.lock("kari on lead-1")
    time.sleep(1.5)
    monkeypatch.setattr(ssh_lock, "SILENT_S", 20)
    ola.lock("ola on lead-2")
    with pytest.raises(HostLocked, match="is being changed by ola on lead-2"):
        kari.put_file("/nowhere", b"it is not ours any more")
    ola.close()
    assert kari.check(Command.of("echo", "taken anew")) == "taken anew\n"
    with pytest.raises(HostLocked, match="kari"):
        ola.lock("ola on lead-2")


@pytest.mark.slow
def test_the_lock_outlives_silence_while_the_heart_beats(
    kari: SshHost, ola: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_lock, "SILENT_S", 1)
    monkeypatch.setattr(ssh_lock, "_BEAT_S", 0.3)
    kari.lock("kari on lead-1")
    time.sleep(2.5)
    with pytest.raises(HostLocked, match="kari on lead-1"):
        ola.lock("ola on lead-2")


def test_after_a_lost_connection_the_lock_is_taken_again(kari: SshHost, ola: SshHost) -> None:
    kari.lock("kari on lead-1")
    kari._link.transport.close()  # type: ignore[union-attr]  # a pulled plug
    assert kari.check(Command.of("echo", "again")) == "again\n"
    with pytest.raises(HostLocked, match="kari on lead-1"):
        ola.lock("ola on lead-2")


def test_our_own_session_that_was_cut_off_is_waited_for(
    kari: SshHost, holding: subprocess.Popen[str]
) -> None:
    os.kill(holding.pid, signal.SIGSTOP)  # its session stands, and nobody speaks in it
    threading.Timer(1.0, holding.kill).start()
    started = time.monotonic()
    kari.lock("ola on lead-2, process 7")
    assert 0.9 < time.monotonic() - started < 10


def test_a_lock_that_cannot_be_written_is_named(
    kari: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_lock, "PATH", str(tmp_path))
    with pytest.raises(CommandFailed, match=r"oslo-1: .* cannot be taken: .*[Dd]irectory"):
        kari.lock("kari on lead-1")
    assert kari.check(Command.of("echo", "in")) == "in\n"
