"""A real OpenSSH server on a loopback port, with keys of its own, for the tests of the SSH driver."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from inventory.models.cluster import Node
from inventory.models.ssh import Jump, Ssh

LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Sshd:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def public(self, name: str) -> str:
        return (self.folder / f"{name}.pub").read_text().strip()

    def node(self, host_key: str | None = None) -> Node:
        key = self.public("host") if host_key is None else host_key
        return Node(name="oslo-1", address=LOOPBACK, host_key=key)

    def ssh(
        self, identity: str = "client", known_hosts: Path | None = None, user: str = "root", **more: Any
    ) -> Ssh:
        return Ssh(
            user=user,
            port=self.port,
            identity_file=self.folder / identity,
            known_hosts=known_hosts,
            connect_timeout_s=5,
            **more,
        )

    def jump(self, name: str = "gate", host_key: str | None = None) -> Jump:
        key = self.public("host") if host_key is None else host_key
        return Jump(name=name, address=LOOPBACK, port=self.port, host_key=key)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    if path.exists():
        return
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, *settings: str, inside: str = "", port: int = 0) -> Iterator[Sshd]:
    """With more `settings` of sshd_config; keys that are there already are kept.

    `inside` is a shell script that makes it a machine of its own: it runs, and sshd after it, in mount and
    process namespaces that end with `process`, with a /run of their own.
    """
    for name in ("host", "client", "other", "stranger"):
        make_key(folder / name)
    make_key(folder / "ecdsa", "ecdsa")
    make_key(folder / "locked", passphrase="secret-words")
    authorized = folder / "authorized_keys"
    authorized.write_text(
        "".join((folder / f"{name}.pub").read_text() for name in ("client", "ecdsa", "locked"))
    )
    authorized.chmod(0o600)
    port = port or free_port()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # OpenSSH insists on its privilege separation folder
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {authorized}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "UsePAM no\nPermitRootLogin prohibit-password\nMaxSessions 50\nMaxStartups 100\n"
        + "".join(f"{setting}\n" for setting in settings)
    )
    argv = ["/usr/sbin/sshd", "-D", "-f", str(config), "-E", str(folder / "sshd.log")]
    if inside:
        script = f'set -e; mount -t tmpfs tmpfs /run; mkdir /run/sshd; {inside}\nexec "$@"'
        own = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
        argv = [*own, "--mount-proc", "sh", "-c", script, "sh", *argv]
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        else:
            raise RuntimeError(f"sshd did not start: {(folder / 'sshd.log').read_text()}")
        yield Sshd(folder, port, server)
    finally:
        (server.kill if inside else server.terminate)()  # unshare(1) takes no other signal
        server.wait(10)
