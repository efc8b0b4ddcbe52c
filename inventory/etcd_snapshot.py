"""The form of an etcd snapshot: a database file, and behind it the SHA-256 of all before.

The database's size is a multiple of 512 bytes; etcd appends the 32 bytes of the hash when it saves, and its
own restore refuses a file where they do not agree (etcd's documentation of disaster recovery).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from inventory.errors import BadInput

_SECTOR_BYTES = 512
_HASH_BYTES = 32
_CHUNK = 1 << 20


def require_new(path: Path) -> None:
    """Raises BadInput where a backup cannot be written: something is there already, or the folder is not."""
    if path.exists():
        raise BadInput("is there already, and a backup overwrites nothing", path)
    if not path.parent.is_dir():
        raise BadInput("there is no such folder", path.parent)


def verify(path: Path) -> str:
    """SHA-256 (hex) of the whole file, whose own hash is right.

    Raises BadInput where it is no snapshot, is cut short, was altered, or can be read by others: it holds
    every secret of the cluster.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput(f"holds every secret of the cluster; run: chmod 600 {path}", path)
        size = path.stat().st_size
        if size <= _HASH_BYTES or size % _SECTOR_BYTES != _HASH_BYTES:
            raise BadInput(
                f"is no whole etcd snapshot: {size} bytes are not a multiple of {_SECTOR_BYTES} and a hash "
                f"of {_HASH_BYTES} (a copy of etcd's data folder is no snapshot either)",
                path,
            )
        whole, database = hashlib.sha256(), hashlib.sha256()
        left = size - _HASH_BYTES
        with path.open("rb") as file:
            while left:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise BadInput("became shorter while it was read", path)
                database.update(chunk)
                whole.update(chunk)
                left -= len(chunk)
            kept = file.read(_HASH_BYTES)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", path) from error
    if kept != database.digest():
        raise BadInput("is damaged: the hash at its end is not that of its content", path)
    whole.update(kept)
    return whole.hexdigest()
