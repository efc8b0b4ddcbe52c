"""The cutover's part of the report, put together from every stage that recorded something of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from inventory.models.stage import StageResult
from tasks.report.model import Cutover, Second, Span, Step

_COUNTS = (
    "requests",
    "failed",
    "orders_placed",
    "orders_lost",
    "orders_doubled",
    "write_freeze_s",
    "revert_s",
)
_OF_SECOND = ("requests", "failed", "sites", "slowest_ms")
_EPOCH_FROM_S = 1e9  # a time above it is epoch seconds, below it counts from the cutover's start


def cutover_of(results: Mapping[str, StageResult], entries: Sequence[Mapping[str, Any]]) -> Cutover | None:
    """None where the cutover has not run.

    Counts and the customers' timeline stand in the cutover's figures, or in those of the stage outside the
    exit that compared the customers' log with the tables.
    """
    cutover = results.get("cutover")
    if cutover is None:
        return None
    beside = [result.figures for name, result in results.items() if name in ("customers", "orders")]
    figures = [cutover.figures, *beside]
    start = cutover.started_at
    return Cutover(
        **{name: _first(figures, name) for name in _COUNTS},
        trouble_to_source_s=_trouble_to_source_s(_first(figures, "moments") or {}, cutover, entries),
        started_at=start,
        steps=tuple(_step(step, start) for step in _first(figures, "steps") or ()),
        timeline=tuple(
            Second(t_s=_seconds(row["at"], start), **{name: row[name] for name in _OF_SECOND if name in row})
            for row in _first(figures, "timeline") or ()
        ),
        spans=tuple(_spans(cutover, entries)),
        more={
            name: value
            for each in figures
            for name, value in each.items()
            if name not in (*_COUNTS, "steps", "timeline", "moments", "started_at")
        },
    )


def _first(figures: Sequence[Mapping[str, Any]], name: str) -> Any:
    return next((each[name] for each in figures if each.get(name) is not None), None)


def _step(step: Mapping[str, Any], start: datetime) -> Step:
    at = step.get("at_s", step.get("at"))
    return Step(
        percent=step["percent"],
        at_s=None if at is None else _seconds(at, start),
        requests=step.get("requests"),
        errors=step.get("errors"),
        target_requests=step.get("target_requests"),
        fallbacks=step.get("fallbacks"),
    )


def _seconds(at: float | str, start: datetime) -> float:
    if isinstance(at, str):
        return round((datetime.fromisoformat(at) - start).total_seconds(), 3)
    return round(at - start.timestamp(), 3) if at > _EPOCH_FROM_S else at


def _trouble_to_source_s(
    moments: Mapping[str, float], cutover: StageResult, entries: Sequence[Mapping[str, Any]]
) -> float | None:
    """From the customers' first sign of trouble until the shop was back: what it took to notice is in it.

    It begins with the first failed request, or with the target's last answer where that is earlier (a dead
    edge fails nobody whom the source's edge takes back). It ends when the edges had all traffic at the source
    again and the last failed request was over. None where nothing was reverted, or no customer looked.
    """
    began = [moments[name] for name in ("failed_from", "left_until") if name in moments]
    back = [
        at
        for intent, outcome in _answered(entries)
        if intent["subject"] == "edge/shift"
        and intent["body"].get("because") == "reverted"
        and outcome["body"].get("done")
        and (at := datetime.fromisoformat(outcome["at"])) >= cutover.started_at
    ]
    if not began or not back:
        return None
    ended = [max(back).timestamp(), *(moments[name] for name in ("failed_until",) if name in moments)]
    return round(max(0.0, max(ended) - min(began)), 3)


def _answered(
    entries: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each outcome behind its intent."""
    intents: dict[int, Mapping[str, Any]] = {e["index"]: e for e in entries if e["kind"] == "intent"}
    for entry in entries:
        intent = intents.get(entry["body"].get("intent", -1)) if entry["kind"] == "outcome" else None
        if intent is not None:
            yield intent, entry


def _spans(cutover: StageResult, entries: Sequence[Mapping[str, Any]]) -> list[Span]:
    """The stretches between intent and outcome that the ledger has of the cutover's database and DNS."""
    spans = []
    for intent, entry in _answered(entries):
        if not str(intent["subject"]).startswith(("database/", "dns/")):
            continue
        from_s, to_s = (_seconds(e["at"], cutover.started_at) for e in (intent, entry))
        if from_s >= 0 and to_s <= cutover.seconds + 1:
            spans.append(Span(what=str(intent["subject"]), from_s=from_s, to_s=to_s))
    return spans
