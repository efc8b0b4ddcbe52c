"""Large files from and to a host, in pieces, private on both sides and verified by digest.

A piece is a command of its own, so a file of any size passes the bound on a command's output.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from inventory.models.command import Command, Script
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Host

PIECE_BYTES = 4 << 20
_TIMEOUT_S = 300.0

# $1 the file, $2 the piece's number, $3 bytes a piece.
_READ = 'dd if="$1" bs="$3" skip="$2" count=1 iflag=fullblock status=none | base64 -w 0'
# $1 the file: made empty, for root alone.
_BEGIN = 'umask 077 && mkdir -p "$(dirname "$1")" && : > "$1" && chmod 600 "$1"'
_APPEND = 'cat >> "$1"'

Told = Callable[[int, int], None]  # bytes done, bytes in all


def _silent(_: int, __: int) -> None:
    """Nobody watches."""


def fetch(host: Host, path: str, into: Path, told: Told = _silent) -> str:
    """Copy a file of the host to `into` (0600, put in place whole); its SHA-256 (hex), same on both sides.

    Raises CommandFailed where what arrived is not what the host has; then `into` is as it was before.
    """
    size = int(host.check(Command.of("stat", "-c", "%s", path)))
    there = _digest_on(host, path)
    seen = hashlib.sha256()
    descriptor, name = tempfile.mkstemp(dir=into.parent, prefix=f".{into.name}.")  # 0600 from the start
    try:
        with os.fdopen(descriptor, "wb") as part:
            for number in range(-(-size // PIECE_BYTES)):
                piece = _piece(host, path, number)
                seen.update(piece)
                part.write(piece)
                told(part.tell(), size)
            part.flush()
            os.fsync(part.fileno())
        if seen.hexdigest() != there:
            raise CommandFailed(host.name, f"{path} arrived with another digest", "run it again")
        Path(name).replace(into)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return there


def send(host: Host, source: Path, path: str, told: Told = _silent) -> str:
    """Copy a file to the host (root, 0600); its SHA-256 (hex). Raises CommandFailed as `fetch`, OSError."""
    size, done = source.stat().st_size, 0
    seen = hashlib.sha256()
    host.check(Script.of(_BEGIN, path))
    with source.open("rb") as content:
        while piece := content.read(PIECE_BYTES):
            host.check(Script.of(_APPEND, path), stdin=piece, timeout_s=_TIMEOUT_S)
            seen.update(piece)
            done += len(piece)
            told(done, size)
    if _digest_on(host, path) != seen.hexdigest():
        raise CommandFailed(host.name, f"{path} arrived with another digest", "run it again")
    return seen.hexdigest()


def _piece(host: Host, path: str, number: int) -> bytes:
    text = host.check(Script.of(_READ, path, number, PIECE_BYTES), timeout_s=_TIMEOUT_S)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise CommandFailed(host.name, f"a piece of {path} cannot be read: {error}", "run it again") from None


def _digest_on(host: Host, path: str) -> str:
    said = host.check(Command.of("sha256sum", "--", path), timeout_s=_TIMEOUT_S)
    return said.split()[0].lstrip("\\")
