"""The seal: a signed note beside the database that says how far the trail reaches.

Text: `ORIGIN/seal`, the state (`open` while a writer is at work, `closed` after it), the number of entries,
the number of checkpoints, the root (base64), then `SHA256 NAME` of every file that must not change in that
state. It is replaced after every write, so that entries that the database lost (SQLite cuts a damaged
write-ahead log off silently) are missed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.ledger.keys import PublicKey, SigningKey
from tasks.ledger.note import open_note, sign_note

DATABASE = "ledger.sqlite"
LOG = "ledger.sqlite-wal"
SHARED_MEMORY = "ledger.sqlite-shm"
LOCK = "lock"
PUBLIC_KEY = "ledger.pub"
PRIVATE_KEY = "signing-key.pem"
SEAL = "seal.note"
OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True)
class Seal:
    """What the seal says; `files` maps a file's name to its SHA-256 (hex)."""

    state: str
    size: int
    checkpoints: int
    root: bytes
    files: Mapping[str, str]

    def sign(self, key: SigningKey) -> str:
        """The signed note."""
        return sign_note(self._text(key.public.name), key)

    def _text(self, origin: str) -> str:
        root = base64.b64encode(self.root).decode()
        head = f"{origin}/seal\n{self.state}\n{self.size}\n{self.checkpoints}\n{root}\n"
        return head + "".join(f"{self.files[name]}  {name}\n" for name in sorted(self.files))

    @classmethod
    def parse(cls, note: str, key: PublicKey) -> Seal:
        """Read a seal. Raises ValueError where it is not one of this key, to the byte."""
        text = open_note(note, key)
        lines = text.rstrip("\n").split("\n")
        if len(lines) < 5 or lines[1] not in (OPEN, CLOSED):
            raise ValueError("not a seal")
        pairs = (line.partition("  ") for line in lines[5:])
        files = {name: digest for digest, _, name in pairs}
        root = base64.b64decode(lines[4], validate=True)
        found = cls(lines[1], int(lines[2]), int(lines[3]), root, files)
        if found._text(key.name) != text:
            raise ValueError("not a seal of this ledger")
        return found


def digest_of(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
