"""Image archives made by hand from static programs, for nodes that reach no registry.

The archive is of the kind that `docker save` writes and `ctr images import` reads: manifest.json, configs and
layers. The same programs make the same bytes; images with the same files share one layer.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inventory.errors import BadInput

REGISTRY = "registry.k8s.io"  # kubeadm's default imageRepository
PAUSE = f"{REGISTRY}/pause:3.10.2"  # what kubeadm 1.37 names
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
MULTI_CALL = "kubernetes"  # one program that is each of these by the name it is started under
_FOLDER = "usr/local/bin"
_EPOCH = "1970-01-01T00:00:00Z"
_INTERPRETER = 3  # PT_INTERP of elf(5)


@dataclass(frozen=True)
class Entry:
    """A file of a layer: its path without the leading slash, where it comes from or what it links to."""

    path: str
    source: Path | None = None
    link: str = ""
    mode: int = 0o755


@dataclass(frozen=True)
class Image:
    """An image of one layer."""

    reference: str
    entries: tuple[Entry, ...]
    entrypoint: tuple[str, ...]
    user: str = ""


def pause_image(programs: Path) -> Image:
    """The sandbox image, from the static program `pause`. Raises BadInput where it is missing or dynamic."""
    return Image(PAUSE, (Entry("pause", _static(programs / "pause")),), ("/pause",), "65535:65535")


def control_plane_images(version: str, programs: Path) -> tuple[Image, ...]:
    """kube-apiserver, kube-controller-manager and kube-scheduler of this version (`1.37.1`).

    From the multi-call program where the folder has one, else from one program each. Raises BadInput.
    """
    multi = programs / MULTI_CALL
    if multi.exists():
        links = tuple(Entry(f"{_FOLDER}/{name}", link=MULTI_CALL) for name in CONTROL_PLANE)
        shared = (Entry(f"{_FOLDER}/{MULTI_CALL}", _static(multi)), *links)
        return tuple(Image(f"{REGISTRY}/{name}:v{version}", shared, ()) for name in CONTROL_PLANE)
    return tuple(
        Image(f"{REGISTRY}/{name}:v{version}", (Entry(f"{_FOLDER}/{name}", _static(programs / name)),), ())
        for name in CONTROL_PLANE
    )


def write_archive(out: BinaryIO, images: Sequence[Image]) -> None:
    """Write the archive of these images. Raises OSError where a program cannot be read."""
    manifest, files = [], {}
    layers: dict[tuple[Entry, ...], tuple[str, int]] = {}
    for image in images:
        if image.entries not in layers:
            layers[image.entries] = _measure(image.entries)
        digest, _ = layers[image.entries]
        config = _config(image, digest)
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        files[name] = config
        manifest.append({"Config": name, "RepoTags": [image.reference], "Layers": [f"{digest}.tar"]})
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (*sorted(files.items()), ("manifest.json", _json(manifest))):
            archive.addfile(_info(name, len(content), 0o644), io.BytesIO(content))
        for entries, (digest, size) in layers.items():
            out.write(_info(f"{digest}.tar", size, 0o644).tobuf(tarfile.PAX_FORMAT))
            _write_layer(_FromHere(out), entries)  # type: ignore[arg-type]  # what tarfile uses of a file is there
            out.write(bytes(-size % tarfile.BLOCKSIZE))
            archive.offset = out.tell()


def digest_of(images: Sequence[Image]) -> str:
    """SHA-256 of the archive that `write_archive` writes of them."""
    sink = _Digest()
    write_archive(sink, images)  # type: ignore[arg-type]  # what tarfile uses of a file is there
    return sink.hexdigest()


class _Digest:
    """A writable that only counts and digests."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is kept back."""

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class _FromHere:
    """A writable whose positions count from where it was made: tarfile pads by position, so a layer inside an
    archive must not see where it lies."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._size = 0

    def write(self, data: bytes) -> int:
        self._size += len(data)
        return self._out.write(data)

    def tell(self) -> int:
        return self._size


def _measure(entries: tuple[Entry, ...]) -> tuple[str, int]:
    sink = _Digest()
    _write_layer(sink, entries)  # type: ignore[arg-type]  # what tarfile uses of a file is there
    return sink.hexdigest(), sink.tell()


def _write_layer(out: BinaryIO, entries: tuple[Entry, ...]) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        folders = sorted({str(parent) for entry in entries for parent in Path(entry.path).parents} - {"."})
        for folder in (*folders, "tmp"):
            info = _info(folder, 0, 0o1777 if folder == "tmp" else 0o755)
            info.type = tarfile.DIRTYPE
            layer.addfile(info)
        for entry in entries:
            if entry.source is None:
                info = _info(entry.path, 0, 0o777)
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
                layer.addfile(info)
                continue
            with entry.source.open("rb") as program:
                layer.addfile(_info(entry.path, entry.source.stat().st_size, entry.mode), program)


def _info(name: str, size: int, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


def _config(image: Image, layer: str) -> bytes:
    run: dict[str, object] = {"Env": [f"PATH=/{_FOLDER}:/usr/bin:/bin"]}
    if image.entrypoint:
        run["Entrypoint"] = list(image.entrypoint)
    if image.user:
        run["User"] = image.user
    return _json(
        {
            "architecture": "amd64",
            "config": run,
            "created": _EPOCH,
            "history": [{"created": _EPOCH, "created_by": "safe-harbor"}],
            "os": "linux",
            "rootfs": {"diff_ids": [f"sha256:{layer}"], "type": "layers"},
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _static(program: Path) -> Path:
    """The program itself. Raises BadInput where it is missing, no 64-bit ELF, or needs libraries."""
    try:
        with program.open("rb") as file:
            head = file.read(64)
            if head[:5] != b"\x7fELF\x02":
                raise BadInput("this is not a 64-bit Linux program", program)
            offset = int.from_bytes(head[32:40], "little")
            size, count = (int.from_bytes(head[at : at + 2], "little") for at in (54, 56))
            file.seek(offset)
            headers = file.read(size * count)
    except OSError as error:
        raise BadInput(f"the program of an image cannot be read: {error.strerror}", program) from None
    kinds = [int.from_bytes(headers[at : at + 4], "little") for at in range(0, len(headers), size)]
    if _INTERPRETER in kinds:
        raise BadInput(
            "this program needs libraries that an image has not: build it with CGO_ENABLED=0", program
        )
    return program
