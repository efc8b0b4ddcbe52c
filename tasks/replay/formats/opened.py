"""Opens a capture: plain, gzip or zstd, told by its first bytes and not by its name."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from backports import zstd

from inventory.errors import BadInput

HEAD_BYTES = 64 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader[io.RawIOBase]]:
    """The unpacked stream, whose beginning can be peeked at.

    Raises BadInput, also within the block, for a file that cannot be read or is broken in its packing.
    """
    kind = "capture"
    try:
        kind = _packing(path)
        with _OPENERS[kind](path) as plain, io.BufferedReader(plain, HEAD_BYTES) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError) as error:
        raise BadInput(f"the {kind} file is broken: {error}", path) from error
    except OSError as error:
        raise BadInput(f"the capture cannot be read: {error.strerror or error}", path) from error


def _packing(path: Path) -> str:
    with path.open("rb") as start:
        magic = start.read(4)
    return "gzip" if magic[:2] == _GZIP else "zstd" if magic == _ZSTD else "capture"


def _plain(path: Path) -> io.RawIOBase:
    return path.open("rb", buffering=0)


def _gzip(path: Path) -> io.RawIOBase:
    return cast(io.RawIOBase, gzip.open(path, "rb"))


def _zstd(path: Path) -> io.RawIOBase:
    return cast(io.RawIOBase, zstd.open(path, "rb"))


_OPENERS: dict[str, Callable[[Path], io.RawIOBase]] = {"capture": _plain, "gzip": _gzip, "zstd": _zstd}
