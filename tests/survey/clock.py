"""A clock that stands."""

from __future__ import annotations

from datetime import UTC, datetime


class StandingClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")
