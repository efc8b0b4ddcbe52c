"""A real API server with its etcd on loopback, for the tests of what talks to one."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PARTS = Path(os.environ.get("SAFE_HARBOR_PARTS", "~/.cache/safe-harbor/parts")).expanduser()


@dataclass(frozen=True)
class ApiServer:
    """A running server. `kubeconfig(user)` writes one: `admin` may all, `poor` nothing."""

    port: int
    folder: Path
    pid: int

    def kubeconfig(self, user: str = "admin", *, ca: Path | None = None, port: int = 0) -> Path:
        path = self.folder / f"kubeconfig-{user}-{port or self.port}-{'other' if ca else 'own'}"
        cluster = {
            "server": f"https://127.0.0.1:{port or self.port}",
            "certificate-authority": str(ca or self.folder / "certs" / "apiserver.crt"),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "here", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "here",
        }
        path.write_text(json.dumps(content))
        return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str) -> Path:
    for found in (*PARTS.glob(name), *PARTS.glob(f"*/{name}")):
        return found
    pytest.skip(f"{name} is not in {PARTS}: build the parts first, or set SAFE_HARBOR_PARTS")


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Start etcd and the API server, wait until it is ready, stop both afterwards."""
    etcd_port, peer_port, port = free_port(), free_port(), free_port()
    (folder / "kube-apiserver").symlink_to(program("kubernetes"))
    (folder / "tokens.csv").write_text('admin-token,admin,1,"system:masters"\npoor-token,poor,2\n')
    subprocess.run(
        ["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, stderr=subprocess.DEVNULL
    )
    etcd = subprocess.Popen(
        [
            program("etcd"),
            f"--data-dir={folder}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
            "--unsafe-no-fsync",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [
            folder / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--service-account-issuer=https://test.invalid",
            f"--service-account-key-file={folder}/sa.key",
            f"--service-account-signing-key-file={folder}/sa.key",
            f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder}/certs",
            "--service-cluster-ip-range=10.0.0.0/24",
        ],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "apiserver.log").open("wb"),
    )
    try:
        _wait_ready(folder, port, server)
        yield ApiServer(port, folder, server.pid)
    finally:
        for process in (server, etcd):
            process.kill()  # asked to end, the server waits a minute for its connections
            process.wait(10)


def _wait_ready(folder: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/readyz", headers={"Authorization": "Bearer admin-token"}
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            context = ssl.create_default_context(cafile=str(folder / "certs" / "apiserver.crt"))
            with urllib.request.urlopen(request, context=context, timeout=5):  # noqa: S310 - loopback
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    pytest.fail(f"the API server is not ready: {(folder / 'apiserver.log').read_text()[-2000:]}")
