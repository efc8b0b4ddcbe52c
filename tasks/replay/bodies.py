"""Do both sides answer the same? Status and body hash of each distinct request, compared.

A request whose answers differ on one side already (a clock, a random offer) is `varying`: noise that says
nothing about the migration, so it is counted and left out of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.replay.capture import Target
from tasks.replay.records import Fault, Records

SHOWN = 10
_Answer = tuple[int, int]  # status, xxh3-64 of the body


@dataclass(frozen=True)
class Difference:
    """One request that source and target answer differently; hashes are xxh3-64, hex."""

    request: str
    source_status: int
    target_status: int
    source_hash: str
    target_hash: str


class Answers:
    """What each side has answered so far, by request."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Target, set[_Answer]]] = {"source": {}, "target": {}}

    def add(self, side: str, targets: tuple[Target, ...], records: Records) -> None:
        """Takes in the complete answers of one run."""
        whole = records.fault == Fault.NONE
        rows = np.stack(
            [
                records.target[whole].astype(np.uint64),
                records.status[whole].astype(np.uint64),
                records.body_hash[whole],
            ]
        )
        for number, status, digest in np.unique(rows, axis=1).T.tolist():
            self._seen[side].setdefault(targets[number], set()).add((status, digest))

    def compared(self) -> dict[str, Any]:
        """`compared`, `same`, `different`, `varying` counts, and the first differences."""
        source, target = self._seen["source"], self._seen["target"]
        both = [key for key in source if key in target]
        steady = [key for key in both if len(source[key]) == 1 and len(target[key]) == 1]
        differing = [key for key in steady if source[key] != target[key]]
        return {
            "compared": len(steady),
            "same": len(steady) - len(differing),
            "different": len(differing),
            "varying": len(both) - len(steady),
            "first_differences": [
                _difference(key, source[key], target[key]).__dict__ for key in differing[:SHOWN]
            ],
        }


def _difference(key: Target, source: set[_Answer], target: set[_Answer]) -> Difference:
    ((source_status, source_hash),) = source
    ((target_status, target_hash),) = target
    return Difference(
        f"{key.method} {key.path}", source_status, target_status, f"{source_hash:016x}", f"{target_hash:016x}"
    )
