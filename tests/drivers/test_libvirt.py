"""The way to libvirt: a real sshd's refusals in virsh's words, and what ssh reads of our configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.command import Command, Script
from inventory.models.machines import KvmHost
from inventory.models.ssh import Jump, Ssh
from tasks.drivers.errors import (
    CommandFailed,
    Denied,
    HostKeyRefused,
    HostUnreachable,
    LoginRefused,
    ServiceFailed,
)
from tasks.drivers.known_hosts import Known
from tasks.drivers.libvirt import LibvirtHost
from tasks.drivers.ssh_config import config, known_hosts
from tests.drivers import sshd as servers
from tests.drivers.sshd import LOOPBACK, Sshd, free_port

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="sshd must log in as root on its loopback port")
NODES = Command.of("virsh", "nodeinfo")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with servers.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


Open = Callable[..., LibvirtHost]


@pytest.fixture
def host(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    folder = tempfile.mkdtemp()  # a short path: ssh's socket lies in it, and has 108 characters at most
    monkeypatch.setattr(tempfile, "tempdir", folder)
    with ExitStack() as stack:

        def opened(ssh: Ssh | None = None, key: str = "host") -> LibvirtHost:
            declared = KvmHost(name="kvm-1", address=LOOPBACK, host_key=sshd.public(key))
            made = LibvirtHost(declared, ssh or sshd.ssh())
            stack.callback(made.close)
            return made

        yield opened
    Path(folder).rmdir()  # nothing is left in it


def test_a_host_without_libvirt_is_named_with_the_remedy(host: Open) -> None:
    assert not Path("/run/libvirt/libvirt-sock").exists()
    with pytest.raises(ServiceFailed, match="kvm-1: no libvirt at 127") as refused:
        host().check(NODES)
    assert "on the KVM host" in refused.value.remedy


def test_another_host_key_is_refused(host: Open) -> None:
    with pytest.raises(HostKeyRefused, match="kvm-1"):
        host(key="other").check(NODES)


def test_a_key_that_is_not_let_in_is_refused(host: Open, sshd: Sshd) -> None:
    with pytest.raises(LoginRefused, match="kvm-1"):
        host(sshd.ssh("stranger")).check(NODES)


def test_a_closed_port_is_unreachable(host: Open, sshd: Sshd) -> None:
    ssh = sshd.ssh().model_copy(update={"port": free_port()})
    with pytest.raises(HostUnreachable, match="kvm-1"):
        host(ssh).check(NODES)


def test_a_machine_without_virsh_says_which_package(host: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ServiceFailed, match="virsh: is not on this machine; apt-get install libvirt-clients"):
        host().check(NODES)


def test_a_command_that_hangs_is_stopped_with_its_children(host: Open) -> None:
    with pytest.raises(CommandFailed, match="did not end within"):
        host().run(Script.of("sleep 97.5 & sleep 97.5"), timeout_s=0.3)
    left = subprocess.run(["pgrep", "-f", "sleep 97.5"], capture_output=True, check=False)
    assert left.returncode == 1


def test_more_output_than_is_read_is_refused(host: Open) -> None:
    with pytest.raises(CommandFailed, match="printed more than 8 MiB"):
        host().run(Script.of("head -c 9000000 /dev/zero"))


def test_files_are_not_written(host: Open) -> None:
    with pytest.raises(Denied, match="through libvirt only"):
        host().put_file("/etc/motd", b"x")


def test_ssh_reads_the_way_as_it_is_declared(tmp_path: Path) -> None:
    peer = Jump(name="kvm-1", address=IPv4Address("10.60.0.5"), port=2222, user="ops", host_key="")
    jumps = tuple(Jump(name=f"gate-{n}", address=IPv4Address(f"10.0.0.{n}")) for n in (1, 2))
    ssh = Ssh(user="ops", port=2222, identity_file=Path("/keys/a key"), jump=jumps)
    (tmp_path / "config").write_text(config(peer, ssh, tmp_path))

    def read(name: str) -> dict[str, str]:
        argv = ["ssh", "-G", "-F", str(tmp_path / "config"), name]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)

    found = read("10.60.0.5")
    assert (found["user"], found["port"], found["proxyjump"]) == ("ops", "2222", "safe-harbor-gate-2")
    assert found["identityfile"] == "/keys/a key"
    assert (found["stricthostkeychecking"], found["batchmode"]) == ("true", "yes")
    assert read("safe-harbor-gate-2")["proxyjump"] == "safe-harbor-gate-1"
    assert "proxyjump" not in read("safe-harbor-gate-1")
    assert read("safe-harbor-gate-1")["hostname"] == "10.0.0.1"


def test_what_ssh_cannot_be_told_is_refused(tmp_path: Path) -> None:
    peer = Jump(name="kvm-1", address=LOOPBACK)
    with pytest.raises(BadInput, match="load it into an agent"):
        config(peer, Ssh(identity_file=Path("/k"), passphrase_env="WORDS"), tmp_path)
    with pytest.raises(BadInput, match="quotation mark"):
        config(peer, Ssh(identity_file=Path('/k"\nProxyCommand x')), tmp_path)


def test_authorities_and_revoked_keys_keep_their_markers(sshd: Sshd) -> None:
    peer = Jump(name="kvm-1", address=LOOPBACK, port=2222)
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + b"rest"
    text = known_hosts({peer: Known(authorities=(blob,), revoked=(blob,))})
    assert [line.split()[:3] for line in text.splitlines()] == [
        ["@cert-authority", "[127.0.0.1]:2222", "ssh-ed25519"],
        ["@revoked", "[127.0.0.1]:2222", "ssh-ed25519"],
    ]
