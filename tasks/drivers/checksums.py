"""A folder's files held against the list of SHA-256 digests that lies beside them (`SHA256SUMS`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inventory.errors import BadInput

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def read(folder: Path) -> Mapping[str, str] | None:
    """File -> SHA-256 (hex) as listed, None where there is no list. Raises BadInput with the line."""
    file = folder / NAME
    if not file.is_file():
        return None
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadInput("is no line of sha256sum's (allowed: DIGEST  FILE)", file, number)
        found[match[2].removeprefix("./")] = match[1]
    return found


def write(folder: Path) -> None:
    """Make the list of every file of a folder, in the form of sha256sum."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != NAME)
    lines = [f"{_digest(folder / name)}  {name}\n" for name in names]
    (folder / NAME).write_text("".join(lines))


def differing(folder: Path, listed: Mapping[str, str]) -> tuple[str, ...]:
    """The listed files that are missing or have another content. Raises OSError."""
    with ThreadPoolExecutor(4) as pool:
        digests = pool.map(lambda name: _digest(folder / name), listed)
        return tuple(name for name, digest in zip(listed, digests, strict=True) if digest != listed[name])


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
