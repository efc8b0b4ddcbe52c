"""The folder on the lead's machine in which the cluster's keys are kept: 0700, every file 0600."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from inventory.errors import BadInput

Stored = Mapping[str, tuple[bytes, bytes]]  # name -> certificate (or public key), private key; PEM


def read(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    """What is kept; nothing where the folder is not there. Raises BadInput where others can read a key."""
    found = {}
    for key in sorted(folder.glob("*.key")):
        if key.stat().st_mode & 0o077:
            raise BadInput(f"this key is open to others; run: chmod 600 {key}", key)
        certificate = key.with_suffix(".crt")
        if certificate.exists():  # a run that was killed between both leaves a key alone: it is made anew
            found[key.stem] = (certificate.read_bytes(), key.read_bytes())
    return found


def write(folder: Path, pairs: Stored) -> tuple[str, ...]:
    """Keep them; the names of those that were not kept like this before. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    kept = read(folder)
    changed = tuple(name for name, pair in sorted(pairs.items()) if kept.get(name) != pair)
    for name in changed:
        certificate, key = pairs[name]
        (folder / f"{name}.crt").unlink(missing_ok=True)  # never an old certificate beside a new key
        write_private(folder / f"{name}.key", key)
        write_private(folder / f"{name}.crt", certificate)
    return changed


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically and durably. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 from the start
    try:
        with os.fdopen(descriptor, "wb") as part:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
    except BaseException:
        Path(name).unlink()
        raise
    Path(name).replace(path)
