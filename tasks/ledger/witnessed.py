"""What can be shown of a ledger: that it verifies, and which witnesses' checkpoints it continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from inventory.models.trail import Cosigned
from inventory.models.trail import Trail as Seen
from tasks.ledger import merkle
from tasks.ledger.examine import Trail, examine
from tasks.ledger.keys import PublicKey
from tasks.ledger.note import Checkpoint, cosigned_at, without_cosignatures


def seen(folder: Path, notes: Sequence[Path], witnesses: Mapping[str, PublicKey]) -> Seen:
    """Examine the ledger, and hold the witnesses' checkpoints against it. Changes nothing.

    `notes` are files that a witness handed over; `witnesses` map a name to its key. Raises BadInput where the
    folder is no ledger.
    """
    trail = examine(folder)
    problems = list(trail.problems)
    cosigned = []
    for file in notes:
        try:
            cosigned.append(_cosigned(trail, file, witnesses))
        except (ValueError, OSError) as error:
            problems.append(f"{file.name}: {error}")
    return Seen(
        str(folder),
        len(trail.hashes),
        trail.root.hex(),
        len(trail.checkpoints),
        tuple(cosigned),
        tuple(problems),
    )


def _cosigned(trail: Trail, file: Path, witnesses: Mapping[str, PublicKey]) -> Cosigned:
    """Raises ValueError where the note is another ledger's, or cosigned by nobody that is known."""
    if trail.key is None:
        raise ValueError("the ledger has no key that it could be of")
    note = file.read_text(encoding="utf-8")
    checkpoint = Checkpoint.parse(without_cosignatures(note, trail.key), trail.key)
    if checkpoint.size > len(trail.hashes):
        raise ValueError(
            f"speaks of {checkpoint.size} entries, here are {len(trail.hashes)}: the tail was removed"
        )
    if merkle.root(trail.hashes[: checkpoint.size]) != checkpoint.root:
        raise ValueError(f"the first {checkpoint.size} entries are not those that the witness saw")
    for name, key in witnesses.items():
        try:
            at_unix_s = cosigned_at(note, key)
        except ValueError:
            continue  # another witness's, perhaps
        return Cosigned(name, checkpoint.size, datetime.fromtimestamp(at_unix_s, UTC), file.name)
    known = ", ".join(witnesses) or "none"
    raise ValueError(f"is cosigned by no witness that the site names (processing.witnesses: {known})")
