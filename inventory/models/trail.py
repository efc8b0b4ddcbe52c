"""What was seen of the audit trail: how long it is, whether it verifies, who has witnessed it, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint of the trail that a witness keeps, cosigned at a time of the witness's own clock."""

    witness: str
    entries: int
    at: datetime
    file: str


@dataclass(frozen=True)
class Trail:
    """The ledger of a site. `root` (hex) is the tree's, `problems` are what does not verify.

    `cosigned` are the witnesses' checkpoints that were shown; those of another trail are among the problems.
    """

    path: str
    entries: int
    root: str
    checkpoints: int
    cosigned: tuple[Cosigned, ...] = ()
    problems: tuple[str, ...] = ()
