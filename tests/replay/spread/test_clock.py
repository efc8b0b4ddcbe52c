"""The estimate of a clock's offset: the truth lies within its error, and what is off or untold is refused."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.replay.spread.clock import Offset, RoundTrip, offset_of

ns = st.integers(0, 50_000_000)
start = 1_700_000_000_000_000_000


def trip(offset_ns: int, there_ns: int, back_ns: int) -> RoundTrip:
    """A round trip to a clock that is ahead by `offset_ns`, with these times on the way."""
    return RoundTrip(start, start + there_ns + offset_ns, start + there_ns + back_ns)


@given(st.integers(-(10**9), 10**9), st.lists(st.tuples(ns, ns), min_size=1, max_size=20))
def test_the_true_offset_lies_within_the_error(offset_ns: int, ways: list[tuple[int, int]]) -> None:
    told = offset_of([trip(offset_ns, *way) for way in ways])
    assert told.error_ms == pytest.approx(min(sum(way) for way in ways) / 2e6)
    assert abs(told.ms - offset_ns / 1e6) <= told.error_ms + 1e-3


@given(st.integers(-(10**8), 10**8), st.integers(-(10**8), 10**8), st.tuples(ns, ns), st.tuples(ns, ns))
def test_by_a_third_clock(ours: int, theirs: int, one: tuple[int, int], other: tuple[int, int]) -> None:
    """`ours` and `theirs`: how far the scheduler is ahead of us and of the worker."""
    told = offset_of([trip(ours, *one)]) - offset_of([trip(theirs, *other)])
    assert abs(told.ms - (ours - theirs) / 1e6) <= told.error_ms + 1e-3


def test_a_clock_that_was_set_back_meanwhile_does_not_count() -> None:
    back = RoundTrip(start, start, start - 3_000_000)
    assert offset_of([back, trip(1_000_000, 10_000, 10_000)]) == Offset(1.0, 0.01)
    with pytest.raises(ValueError, match="empty"):
        offset_of([back])


@given(st.floats(-20, 20), st.floats(0, 20))
def test_only_what_is_surely_within_the_limit_is_taken(ms: float, error_ms: float) -> None:
    taken = not Offset(ms, error_ms).problem()
    assert taken == (abs(ms) + error_ms <= 5)


@given(st.floats(-20, 20), st.floats(0, 20))
def test_the_problem_says_which(ms: float, error_ms: float) -> None:
    problem = Offset(ms, error_ms).problem()
    assume(problem)
    assert ("NTP" in problem) == (abs(ms) - error_ms > 5)
    assert ("for certain" in problem) == (abs(ms) - error_ms <= 5)
