"""The parts of a run become its result: tallies are added, the worst of each course counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

from tasks.replay.capture import Target
from tasks.replay.figures import Course, reasons_invalid
from tasks.replay.records import Fault, Records
from tasks.replay.spread.part import Part
from tasks.replay.spread.shards import Places, joined, lost
from tasks.replay.tally import Tally, tally_of


def tally_of_all(parts: Sequence[Part], targets: tuple[Target, ...]) -> Tally:
    """By the HDR histograms that each generator sent; a lost shard counts at the time-out."""
    return reduce(add, (_tally(part, targets) for part in parts))


def records_of_all(parts: Sequence[Part], where: Places) -> Records:
    """In the run's order; those of a lost shard are `LOST`."""
    return joined([part.result.records if part.result else lost(part.job) for part in parts], where)


def course_of_all(parts: Sequence[Part], stopped_because: str) -> Course:
    """Maxima of what must stay small, sums of counts; `stopped_because` is the whole run's."""
    courses = [part.result.course for part in parts if part.result]
    job = parts[0].job
    return Course(
        seconds=max((course.seconds for course in courses), default=0.0),
        cpu_share=max((course.cpu_share for course in courses), default=0.0),
        backlog_max=max((course.backlog_max for course in courses), default=0),
        connections_opened=sum(course.connections_opened for course in courses),
        unasked=sum(course.unasked for course in courses),
        stopped_because=stopped_because,
        timeout_s=job.timeout_s,
        slo_ms=job.slo_ms,
        scheduling=_each(course.scheduling for course in courses),
        tls=_each(course.tls for course in courses),
        connect_error=_each(course.connect_error for course in courses),
        tls_resumed=sum(course.tls_resumed for course in courses),
        sessions={name: sum(course.sessions[name] for course in courses) for name in _names(courses)},
    )


def reasons_of(part: Part) -> list[str]:
    """Why this part, and so the run, is not valid."""
    if part.result is None:
        return [part.lost]
    return reasons_invalid(part.result.tally, part.result.course)


def reasons_of_all(parts: Sequence[Part]) -> list[str]:
    """With the generator's name; what is lost first, as the others were stopped because of it."""
    ordered = sorted(parts, key=lambda part: part.result is not None)
    return [f"{part.name}: {reason}" for part in ordered for reason in reasons_of(part)]


def rows(parts: Sequence[Part], targets: tuple[Target, ...]) -> list[dict[str, Any]]:
    """A row a generator, for result.json; figures are null where it was lost."""
    return [_row(part, _tally(part, targets)) for part in parts]


def _row(part: Part, tally: Tally) -> dict[str, Any]:
    reasons = reasons_of(part)
    unsent, done = tally.faults[Fault.UNSENT], tally.faults[Fault.NONE]
    row: dict[str, Any] = {
        "planned": len(part.job.due_s),
        "done": done,
        "errors": tally.faults.total() - unsent - done,
        "unsent": unsent,
        "lost": part.result is None,
        "valid": not reasons,
        "reasons": reasons,
        "response_p99_ms": None,
        "lateness_p99_us": None,
        "backlog_max": None,
        "generator_cpu": None,
    }
    if part.result:
        row["response_p99_ms"] = tally.routes["*"].response.percentile_us(99) / 1000
        row["lateness_p99_us"] = tally.lateness.percentile_us(99)
        row["backlog_max"] = part.result.course.backlog_max
        row["generator_cpu"] = round(part.result.course.cpu_share, 4)
    return row


def _tally(part: Part, targets: tuple[Target, ...]) -> Tally:
    return part.result.tally if part.result else tally_of(lost(part.job), targets, part.job.timeout_s)


def _names(courses: Sequence[Course]) -> Iterable[str]:
    return courses[0].sessions if courses else ()


def _each(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))
