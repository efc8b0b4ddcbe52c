"""What can be wrong with a ledger as a whole; a path that is no ledger is `inventory.errors.BadInput`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.drivers.errors import OutsideError


class LedgerBroken(Exception):
    """The trail does not verify; commands answer it with exit 4. Nothing is signed or done on it."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        shown = "".join(f"\n  {problem}" for problem in self.problems[:20])
        more = f"\n  and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
        super().__init__(
            f"{path}: the ledger does not verify; keep this folder as it is and restore it from a copy"
            f"{shown}{more}"
        )


class LedgerBusy(OutsideError):
    """Another process has the ledger open for writing (exit 3)."""
