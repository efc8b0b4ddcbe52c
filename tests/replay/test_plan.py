"""Schedules: what is due when, and that every record of a capture is accounted for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.plan import as_captured, at_rate, poisson, ramp

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


@given(st.floats(1, 500), st.floats(1, 500), st.floats(0.5, 20))
def test_a_ramp_begins_and_ends_at_its_rates(first: float, last: float, duration_s: float) -> None:
    plan = ramp(CAPTURE, first, last, duration_s=duration_s) if (first + last) * duration_s > 4 else None
    if plan is None or len(plan) < 3:
        return
    due = np.frombuffer(plan.due_s)
    assert (np.diff(due) > 0).all()
    assert due[0] == 0.0
    assert due[-1] <= duration_s * (1 + 1e-6)
    slope = (last - first) / duration_s
    walked = first * due + slope / 2 * due**2
    assert walked == pytest.approx(np.arange(len(due)), abs=1e-3)


def test_poisson_arrivals_are_those_of_the_seed_and_of_the_rate() -> None:
    plan = poisson(CAPTURE, 1000, 7, duration_s=20)
    assert plan.due_s == poisson(CAPTURE, 1000, 7, duration_s=20).due_s
    assert plan.due_s != poisson(CAPTURE, 1000, 8, duration_s=20).due_s
    assert len(plan) == pytest.approx(20_000, rel=0.05)  # seven standard deviations
    gaps = np.diff(np.frombuffer(plan.due_s))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # as exponential gaps have it
    assert plan.pace == "Poisson arrivals, 1000 requests/s, seed 7"
    once = poisson(CAPTURE, 1000, 7)
    assert (len(once), once.records) == (len(CAPTURE), 600)


def test_rates_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="the rate 0 is not above 0"):
        ramp(CAPTURE, 0, 5, duration_s=1)
    with pytest.raises(BadInput, match="the seed -1 is below 0"):
        poisson(CAPTURE, 5, -1)
    with pytest.raises(BadInput, match="allowed: 1 to 20000000"):
        poisson(CAPTURE, 1e9, 1, duration_s=1e9)
