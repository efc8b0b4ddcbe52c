"""Real image registries and an object store on loopback ports, with TLS, for tests."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.drivers.real_edge import free_port
from tests.drivers.real_mariadb import Ca


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextlib.contextmanager
def running_registry(folder: Path, ca: Ca, name: str) -> Iterator[str]:
    """host:port of an empty registry."""
    cert, key = ca.issue(name)
    port = free_port()
    config = folder / f"{name}.json"
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "storage": {"filesystem": {"rootdirectory": str(folder / name)}},
                "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(cert), "key": str(key)}},
            }
        )
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def push_image(folder: Path, ca: Ca, image: str, content: bytes) -> str:
    """Push an image of one file; its manifest's digest."""
    layout = folder / hashlib.sha256(content).hexdigest()[:12]
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    layer = put(gzip.compress(raw.getvalue(), mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
    unpacked = "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
    config = put(
        json.dumps(
            {
                "architecture": "amd64", "os": "linux", "config": {},
                "rootfs": {"type": "layers", "diff_ids": [unpacked]},
            }
        ).encode(),
        "application/vnd.oci.image.config.v1+json",
    )  # fmt: skip
    manifest = put(
        json.dumps(
            {
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config, "layers": [layer],
            }
        ).encode(),
        "application/vnd.oci.image.manifest.v1+json",
    )  # fmt: skip
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    trust = folder / "trust"
    trust.mkdir(exist_ok=True)
    shutil.copyfile(ca.file, trust / "ca.crt")
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-cert-dir", str(trust), f"oci:{layout}",
         f"docker://{image}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(manifest["digest"])


@dataclass
class Store:
    """A running object store: its endpoint, and a credentials file for it."""

    endpoint_url: str
    credentials_file: Path
    ca: Ca


def store_program() -> str | None:
    """versitygw: what SAFE_HARBOR_VERSITYGW names, one on the PATH, or a built part in the cache."""
    named = os.environ.get("SAFE_HARBOR_VERSITYGW") or shutil.which("versitygw")
    if named:
        return named
    cache = Path("~/.cache/safe-harbor/parts").expanduser()
    built = sorted(cache.glob("*/versitygw")) if cache.is_dir() else []
    return str(built[-1]) if built else None


@contextlib.contextmanager
def running_store(folder: Path, ca: Ca) -> Iterator[Store]:
    program = store_program()
    assert program is not None
    cert, key = ca.issue("objects")
    data = folder / "objects-data"
    data.mkdir()
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", f"127.0.0.1:{port}", "--cert", str(cert), "--key", str(key), "--quiet", "posix",
         str(data)],
        env={"ROOT_ACCESS_KEY_ID": "AKIATEST", "ROOT_SECRET_ACCESS_KEY": "test-secret"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    credentials = folder / "credentials"
    credentials.write_text(
        "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = test-secret\n"
        "[wrong]\naws_access_key_id = AKIATEST\naws_secret_access_key = another\n"
    )
    credentials.chmod(0o600)
    try:
        wait_for_port(port, process)
        yield Store(f"https://localhost:{port}", credentials, ca)
    finally:
        process.terminate()
        process.wait(10)
