"""Schedules: what is due when, and that every record of a capture is accounted for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.plan import as_captured, at_rate

CAPTURE = read_capture(Path(__file__).parents[1] / "data" / "captures" / "shop.log")


def test_a_fixed_rate_walks_the_capture_from_its_beginning_again() -> None:
    plan = at_rate(CAPTURE, 100, requests=len(CAPTURE) + 3)
    assert plan.due_s[:3].tolist() == [0.0, 0.01, 0.02]
    assert plan.target[len(CAPTURE) :].tolist() == CAPTURE.target[:3].tolist()
    assert plan.records == len(plan) + plan.skipped


def test_duration_and_rate_give_the_number() -> None:
    assert len(at_rate(CAPTURE, 250, duration_s=2.0)) == 500


def test_the_captures_own_timing_at_double_speed() -> None:
    plan, twice = as_captured(CAPTURE), as_captured(CAPTURE, 2.0)
    assert plan.due_s == CAPTURE.at_s
    assert twice.due_s[-1] == pytest.approx(plan.due_s[-1] / 2)
    assert plan.records == 600
    cut = as_captured(CAPTURE, 1.0, duration_s=10.0)
    assert 0 < len(cut) < len(plan)
    assert cut.due_s[-1] < 10.0


@given(st.integers(1, 2000), st.integers(0, 3000))
def test_pieces_that_follow_each_other_hold_every_record_once(requests: int, start: int) -> None:
    first = at_rate(CAPTURE, 100, requests=requests, start=start)
    second = at_rate(CAPTURE, 100, requests=requests, start=start + requests)
    both = at_rate(CAPTURE, 100, requests=2 * requests, start=start)
    assert first.records + second.records == both.records
    assert first.target + second.target == both.target
    assert sum(both.planned_by_route().values()) == 2 * requests


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"rate_rps": 0}, "the rate 0 is not above 0"),
        ({"rate_rps": float("nan")}, "the rate nan"),
        ({"rate_rps": 1, "duration_s": -1}, "the duration -1 is not above 0"),
        ({"rate_rps": 1, "requests": 0}, "0 requests; allowed: 1 to"),
        ({"rate_rps": 1e9, "duration_s": 1e9}, "allowed: 1 to 20000000"),
        ({"rate_rps": 1, "requests": 5, "duration_s": 1}, "not both"),
    ],
)
def test_what_cannot_be_planned(arguments: dict, what: str) -> None:  # type: ignore[type-arg] # mixed values
    with pytest.raises(BadInput, match=what):
        at_rate(CAPTURE, **arguments)


def test_a_speed_of_nothing() -> None:
    with pytest.raises(BadInput, match="the speed 0 is not above 0"):
        as_captured(CAPTURE, 0)
