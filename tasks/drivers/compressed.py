"""Compresses a program once, whatever the number of hosts that get it."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import zlib
from pathlib import Path

_GATE = threading.Lock()
_LOCKS: dict[str, threading.Lock] = {}
_CHUNK = 1 << 20
_GZIP = 31  # zlib's window bits for a gzip header
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def compressed(source: Path, sha256: str) -> Path:
    """The gzip-compressed program: beside it where that folder can be written, else in the temporary folder.

    The name holds the program's digest, so a changed program is never served from an old file, and the
    receiver verifies the digest of what comes out. Raises OSError.
    """
    with _GATE:
        lock = _LOCKS.setdefault(sha256, threading.Lock())
    with lock:
        name = f".{source.name}.{sha256[:16]}.gz"
        beside = source.parent / name
        elsewhere = Path(tempfile.gettempdir()) / f"safe-harbor-{os.getuid()}" / name
        for place in (beside, elsewhere):
            if place.is_file():
                return place
        try:
            return _write(source, beside)
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
        elsewhere.parent.mkdir(mode=0o700, exist_ok=True)
        return _write(source, elsewhere)


def _write(source: Path, target: Path) -> Path:
    squeeze = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=target.name, delete=False) as part:
        try:
            with source.open("rb") as program:
                while chunk := program.read(_CHUNK):
                    part.write(squeeze.compress(chunk))
            part.write(squeeze.flush())
        except BaseException:
            Path(part.name).unlink()
            raise
    return Path(part.name).replace(target)
