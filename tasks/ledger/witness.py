"""A witness keeps the last checkpoint it saw and cosigns the next one only where nothing was taken away.

A hash chain alone cannot show a tail that was cut off, or a rewrite by the key's holder: a cosigned
checkpoint in other hands can. The witness's checkpoints lie in `KEYFILE.checkpoints/`, its verifier key in
`KEYFILE.pub`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from inventory.errors import BadInput
from tasks.ledger import merkle
from tasks.ledger.errors import LedgerBroken
from tasks.ledger.examine import Trail, examine
from tasks.ledger.keys import COSIGNATURE, PublicKey, SigningKey, write_durably
from tasks.ledger.note import Checkpoint, cosign, cosigned_at, without_cosignatures


@dataclass(frozen=True)
class Witnessed:
    """A cosigned checkpoint, and where the witness keeps it."""

    checkpoint: Checkpoint
    note: str
    file: Path
    witness: PublicKey

    def __str__(self) -> str:
        return (
            f"cosigned {self.checkpoint.size} entries, root {self.checkpoint.root.hex()}\n"
            f"kept in {self.file}\nwitness key {self.witness.line()}"
        )


def witness(path: Path | str, key_file: Path | str, *, now_unix_s: int | None = None) -> Witnessed:
    """Verify the ledger, compare it with the checkpoint seen before, cosign the last one and keep it.

    The key file is made (0600) at first use. Raises BadInput where the path is no ledger or has no
    checkpoint, LedgerBroken where it does not verify or is not the continuation of what was seen before.
    """
    trail = examine(Path(path))
    if trail.problems:
        raise LedgerBroken(trail.path, trail.problems)
    if trail.key is None or not trail.checkpoints:
        raise BadInput("has no checkpoint yet; a witness cosigns one after the first stage", trail.path)
    latest = trail.checkpoints[-1]
    key_file = Path(key_file)
    key = _witness_key(key_file)
    kept = key_file.with_name(key_file.name + ".checkpoints") / f"{trail.key.keyid[:16]}.note"
    if kept.exists():
        _require_continuation(trail, trail.key, key.public, kept)
    note = cosign(latest.note, key, int(time.time()) if now_unix_s is None else now_unix_s)
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(kept, note.encode())
    return Witnessed(latest, note, kept, key.public)


def _witness_key(path: Path) -> SigningKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        SigningKey.create(path, "new")
    unnamed = SigningKey.load(path, "new").public
    key = SigningKey.load(path, f"safe-harbor/witness/{unnamed.keyid[:16]}", COSIGNATURE)
    write_durably(path.with_name(path.name + ".pub"), f"{key.public.line()}\n".encode())
    return key


def _require_continuation(trail: Trail, log: PublicKey, mine: PublicKey, kept: Path) -> None:
    note = kept.read_text()
    try:
        cosigned_at(note, mine)
        seen = Checkpoint.parse(without_cosignatures(note, log), log)
    except ValueError as error:
        raise LedgerBroken(trail.path, [f"the witness's own copy {kept} does not verify: {error}"]) from error
    if seen.size > len(trail.hashes):
        raise LedgerBroken(
            trail.path,
            [f"the witness saw {seen.size} entries, here are {len(trail.hashes)}: the tail was removed"],
        )
    if merkle.root(trail.hashes[: seen.size]) != seen.root:
        raise LedgerBroken(trail.path, [f"the first {seen.size} entries are not those that the witness saw"])
