"""How far another machine's wall clock is from this one's, by round trips, as NTP estimates it (RFC 5905)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROUND_TRIPS = 20
MAX_OFFSET_MS = 5.0  # a shared start says nothing where the clocks differ by more


@dataclass(frozen=True)
class RoundTrip:
    """Wall clock in ns: asked here, read there, answered here."""

    asked_ns: int
    there_ns: int
    back_ns: int


@dataclass(frozen=True)
class Offset:
    """The other clock is ahead of ours by `ms`, give or take `error_ms`."""

    ms: float
    error_ms: float

    def __sub__(self, other: Offset) -> Offset:
        """Both are offsets of two clocks towards a third: how far the first is ahead of the second."""
        return Offset(self.ms - other.ms, self.error_ms + other.error_ms)

    def problem(self) -> str:
        """Why no start can be shared with this clock; empty where it can.

        Not told closely enough is as bad as off.
        """
        if abs(self.ms) - self.error_ms > MAX_OFFSET_MS:
            return (
                f"its clock is {self.ms:+.1f} ms from ours (give or take {self.error_ms:.1f}), more than "
                f"{MAX_OFFSET_MS:g}: have both follow the same NTP servers (chronyc tracking)"
            )
        if abs(self.ms) + self.error_ms > MAX_OFFSET_MS:
            return (
                f"its clock is {self.ms:+.1f} ms from ours, give or take {self.error_ms:.1f}: that is not "
                f"within {MAX_OFFSET_MS:g} ms for certain; a nearer or quieter scheduler tells it closer"
            )
        return ""


def offset_of(trips: Sequence[RoundTrip]) -> Offset:
    """By the shortest round trip: the other clock was read somewhere in it, so half of it bounds the error.

    Raises ValueError where there is none; one in which our clock was set back does not count.
    """
    shortest = min(
        (trip for trip in trips if trip.back_ns >= trip.asked_ns),
        key=lambda trip: trip.back_ns - trip.asked_ns,
    )
    half_ns = (shortest.back_ns - shortest.asked_ns) / 2
    return Offset((shortest.there_ns - shortest.asked_ns - half_ns) / 1e6, half_ns / 1e6)
