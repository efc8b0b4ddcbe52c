"""A part of a run that several generators make: its shard, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tasks.replay.figures import Course
from tasks.replay.job import Job
from tasks.replay.records import Records
from tasks.replay.tally import Tally

FELLOW_LOST = "another generator was lost"
LEAD_S_PER_REQUEST = 2e-6  # from a shared start's choice to it: a generator loads its schedule first


@dataclass(frozen=True)
class ShardResult:
    """What one generator measured."""

    course: Course
    tally: Tally
    records: Records


class Part(Protocol):
    """In the end it has a `result`, or `lost` says why there is none."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def job(self) -> Job:
        """The shard."""

    @property
    def result(self) -> ShardResult | None:
        """What was measured."""

    @property
    def lost(self) -> str:
        """Why nothing was."""
