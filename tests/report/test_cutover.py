"""How long the shop was in trouble, by the customers' log and the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.report.cutover import cutover_of
from tests.report import sample

CUTOVER = sample.results()["cutover"]
START_S = CUTOVER.started_at.timestamp()


def shifted(index: int, at_s: float, *, done: bool = True, because: str = "reverted") -> list[dict[str, Any]]:
    """Intent and outcome of a shift at an edge, the outcome `at_s` seconds after the cutover's start."""

    def entry(number: int, kind: str, before_s: float, body: dict[str, Any]) -> dict[str, Any]:
        at = (CUTOVER.started_at + timedelta(seconds=at_s - before_s)).isoformat()
        return {"index": number, "kind": kind, "subject": "edge/shift", "at": at, "body": body}

    intent = {"percent": 0, "part": "198.18.0.10"} | ({"because": because} if because else {})
    return [
        entry(index, "intent", 0.5, intent),
        entry(index + 1, "outcome", 0, {"intent": index, "done": done}),
    ]


def trouble(moments: dict[str, float], *entries: dict[str, Any]) -> float | None:
    """`moments` in seconds from the cutover's start."""
    figures = {"moments": {name: START_S + at_s for name, at_s in moments.items()}}
    results = {
        "cutover": CUTOVER,
        "customers": sample.results()["customers"].model_copy(update={"figures": figures}),
    }
    cutover = cutover_of(results, entries)
    assert cutover is not None
    assert "moments" not in cutover.more
    return cutover.trouble_to_source_s


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        ({"left_until": 20.0}, 4.0),  # an edge died, and the source's edge took every request back
        ({"left_until": 20.0, "failed_from": 20.5, "failed_until": 23.0}, 4.0),
        ({"left_until": 20.0, "failed_from": 20.5, "failed_until": 29.0}, 9.0),  # one hung on
        ({"left_until": 24.5, "failed_from": 18.0, "failed_until": 19.0}, 6.0),  # errors, and the edge lived
        ({"left_until": 24.5}, 0.0),  # it lived to the end, and nobody noticed
    ],
)
def test_it_counts_from_the_first_trouble_until_all_is_well(
    moments: dict[str, float], seconds: float
) -> None:
    assert trouble(moments, *shifted(10, 24.0)) == seconds


def test_with_two_edges_the_last_one_counts() -> None:
    assert trouble({"left_until": 20.0}, *shifted(10, 24.0), *shifted(12, 25.5)) == 5.5


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert trouble({"left_until": 20.0}) is None
    assert trouble({}, *shifted(10, 24.0)) is None
    assert trouble({"left_until": 20.0}, *shifted(10, 24.0, done=False)) is None
    assert trouble({"left_until": 20.0}, *shifted(10, 24.0, because="")) is None
    assert trouble({"left_until": 20.0}, *shifted(10, -60.0)) is None, "of an earlier cutover"
