"""An OCI image archive of one static program (OCI image specification 1.1), the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CREATED = "2015-10-06T00:00:00Z"  # fixed: the same program gives the same digest
USER = "65532:65532"


@dataclass(frozen=True)
class Image:
    """What was written: the manifest (JSON) and its digest (`sha256:...`), the image's identity."""

    digest: str
    manifest: str


def write_image(out: Path, program: Path, *, name: str, port: int) -> Image:
    """Write `out`, an OCI archive whose one layer is `/NAME` and whose entry point it is.

    The image runs as an unprivileged user and exposes `port`.
    """
    layer_tar = _layer(program.read_bytes(), name)
    layer = gzip.compress(layer_tar, compresslevel=6, mtime=0)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": {
                "Entrypoint": [f"/{name}"],
                "User": USER,
                "WorkingDir": "/",
                "ExposedPorts": {f"{port}/tcp": {}},
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer_tar)]},
            "history": [{"created": CREATED, "created_by": f"the rehearsal's {name}"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
        }
    )
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [_descriptor("application/vnd.oci.image.manifest.v1+json", manifest)],
        }
    )
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    for blob in (layer, config, manifest):
        files[f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"] = blob
    out.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            archive.addfile(_entry(path, len(content), 0o644), io.BytesIO(content))
    return Image(_digest(manifest), manifest.decode())


def _layer(program: bytes, name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as layer:
        for folder in ("etc", "tmp"):
            entry = _entry(folder, 0, 0o1777 if folder == "tmp" else 0o755)
            entry.type = tarfile.DIRTYPE
            layer.addfile(entry)
        users = b"root:x:0:0::/:/none\nshop:x:65532:65532::/:/none\n"
        layer.addfile(_entry("etc/passwd", len(users), 0o644), io.BytesIO(users))
        layer.addfile(_entry(name, len(program), 0o755), io.BytesIO(program))
    return buffer.getvalue()


def _entry(path: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.mtime = size, mode, 0
    return entry


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
