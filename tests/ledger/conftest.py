from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.ledger import Ledger


class Ticking:
    """A clock that moves one second a look."""

    def __init__(self) -> None:
        self._at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at

    def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


def fill(ledger: Ledger) -> None:
    """A small trail with every kind of entry and more than one checkpoint."""
    with ledger.effect("stage/move", {"images": 3}) as effect:
        effect.outcome = {"copied": 3, "bytes": 123456, "share": 0.25}
    ledger.append("evidence", "stage/move", {"findings": [{"code": "DAT-05", "verdict": "pass"}]})
    ledger.append("waiver", "ADM-01/oslo-1", {"approver": "Kari Nordmann", "reason": "nspawn, æøå"})
    ledger.checkpoint()
    ledger.append("decision", "gate", {"go": True, "digest": "ab" * 32})
    ledger.append("approval", "gate", {"approver": "Kari Nordmann"})
    ledger.append("intent", "cutover/50", {"percent": 50})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    with Ledger.open(path, clock=Ticking(), actor="lead") as ledger:
        fill(ledger)
    return path


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Ledger]:
    return lambda: Ledger.open(tmp_path / "ledger", clock=Ticking(), actor="lead")
