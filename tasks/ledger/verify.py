"""What an auditor asks of a path: does it verify, what does it say; for a ledger folder or an exported
bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.ledger import verifier
from tasks.ledger.entry import Entry
from tasks.ledger.errors import LedgerBroken
from tasks.ledger.examine import examine


@dataclass(frozen=True)
class Verified:
    """What came of a verification. `root` is hex; `sealed` says whether every byte of every file is covered
    (see `tasks.ledger.examine`), which it is except while a writer is at work or after one was killed."""

    path: Path
    entries: int
    root: str
    checkpoints: int
    problems: tuple[str, ...]
    sealed: bool
    key: str = ""  # the verifier key that all signatures are of

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "path": str(self.path),
            "verified": self.ok,
            "entries": self.entries,
            "root": self.root,
            "checkpoints": self.checkpoints,
            "sealed": self.sealed,
            "key": self.key,
            "problems": list(self.problems),
        }

    def __str__(self) -> str:
        if self.problems:
            listed = "".join(f"\n  {problem}" for problem in self.problems)
            return f"{self.path}: does NOT verify{listed}"
        said = (
            f"{self.path}: verified, {self.entries} entries, {self.checkpoints} checkpoints, root {self.root}"
        )
        if not self.sealed:
            said += (
                "\n  not sealed: a run is going on or was killed; its entries verify, unused bytes of the "
                "database file are covered again when the next run closes it"
            )
        return said


def verify(path: Path | str, *, key: str = "") -> Verified:
    """Recompute every hash and signature. `key`: the verifier key that the caller expects, from elsewhere.

    Raises BadInput where the path is neither a ledger nor a bundle.
    """
    path = Path(path)
    if (path / verifier.SUMS).is_file() or (path / verifier.ENTRIES).is_file():
        found = verifier.check(path)
        result = Verified(
            path,
            found.entries,
            found.root.hex(),
            found.checkpoints,
            tuple(found.problems),
            sealed=True,
            key=found.key,
        )
    else:
        trail = examine(path)
        result = Verified(
            path,
            len(trail.hashes),
            trail.root.hex(),
            len(trail.checkpoints),
            tuple(trail.problems),
            trail.sealed,
            trail.key.line() if trail.key else "",
        )
    if key and key.strip() != result.key:
        other = f"signed by {result.key or 'nobody'}, not by the expected {key.strip()}"
        return Verified(**{**result.__dict__, "problems": (*result.problems, other)})
    return result


def read_entries(path: Path | str, kind: str | None = None, subject: str | None = None) -> Sequence[Entry]:
    """The entries of a ledger folder, oldest first. Raises BadInput, or LedgerBroken where it does not
    verify.
    """
    trail = examine(Path(path))
    if trail.problems:
        raise LedgerBroken(trail.path, trail.problems)
    return [e for e in trail.entries if kind in (None, e.kind) and subject in (None, e.subject)]
