"""The capacity gate: what a step says, what the steps add up to, and that the knee is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.site import Capacity
from inventory.models.verdict import Verdict
from tasks.gates.capacity import Limits, NodeSeen, Outcome, Step, broken, judge_capacity, outcome, unseen
from tasks.gates.capacity_steps import LEAST, RESOLUTION, next_rate

LIMITS = Limits(error_rate=0.001, p99_ms=1000, conntrack=0.6, steal=0.02)
RULES = Capacity()
NODE = NodeSeen("oslo-1", conntrack=0.1, refused=0, steal_p95=0.0)
CALM = Step(100, 2000, 0, 20.0, 0, (), (NODE,), ())


def test_a_calm_step_holds() -> None:
    assert broken(CALM, LIMITS) == unseen(CALM) == ()
    assert outcome(CALM, LIMITS) is Outcome.HELD


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"errors": 3}, "3 errors of 2000 requests"),
        ({"p99_ms": 1000.0}, "p99 1000 ms, limit 1000 ms"),
        ({"queued": 7}, "7 requests waited for a connection"),
        ({"nodes": (replace(NODE, conntrack=0.6),)}, "oslo-1: conntrack 60%, limit 60%"),
        ({"nodes": (replace(NODE, refused=1),)}, "oslo-1: connection tracking refused 1"),
        ({"nodes": (replace(NODE, steal_p95=0.02),)}, "oslo-1: steal p95 2.0%, limit 2%"),
        ({"not_ready": ("deployment/shop",)}, "deployment/shop was not ready"),
    ],
)
def test_each_limit_breaks_a_step(change: dict[str, object], says: str) -> None:
    step = replace(CALM, **change)  # type: ignore[arg-type] # a field of Step each
    assert broken(step, LIMITS) == (says,)
    assert outcome(step, LIMITS) is Outcome.BROKE
    verdict = judge_capacity([step], 100, RULES, LIMITS)
    assert (verdict.verdict, verdict.knee_rps) == (Verdict.FAIL, None)
    assert verdict.reasons == (f"at 100/s: {says}",)


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": (replace(NODE, conntrack=None),)},
        {"nodes": (replace(NODE, refused=None),)},
        {"nodes": (replace(NODE, steal_p95=None),)},
        {"nodes": ()},
        {"not_ready": None},
        {"requests": 0},
    ],
)
def test_what_was_not_observed_is_never_a_pass(change: dict[str, object]) -> None:
    step = replace(CALM, rate_rps=150, **change)  # type: ignore[arg-type] # a field of Step each
    verdict = judge_capacity([CALM, step], 100, RULES, LIMITS)
    assert verdict.verdict is Verdict.NODATA
    assert verdict.reasons == unseen(step) != ()


def test_one_and_a_half_times_the_peak_passes_and_less_does_not() -> None:
    enough = judge_capacity([CALM, replace(CALM, rate_rps=150)], 100, RULES, LIMITS)
    assert (enough.verdict, enough.knee_rps, enough.knee_found) == (Verdict.PASS, 150, False)
    less = judge_capacity([CALM, replace(CALM, rate_rps=149)], 100, RULES, LIMITS)
    assert (less.verdict, less.reasons) == (Verdict.INCONCLUSIVE, ("no step reached 150/s",))
    assert judge_capacity([], 100, RULES, LIMITS).verdict is Verdict.NODATA


def test_the_knee_and_what_broke_beyond_it_are_told() -> None:
    steps = [CALM, replace(CALM, rate_rps=225, errors=900), replace(CALM, rate_rps=150)]
    verdict = judge_capacity(steps, 100, RULES, LIMITS)
    assert (verdict.verdict, verdict.knee_rps, verdict.knee_found) == (Verdict.PASS, 150, True)
    assert verdict.knee_broken == ("900 errors of 2000 requests",)


def test_a_generator_that_is_late_says_nothing_of_the_target() -> None:
    late = replace(CALM, rate_rps=150, errors=900, queued=5, generator=("lateness p99 80 ms",))
    assert outcome(late, LIMITS) is Outcome.UNTOLD
    verdict = judge_capacity([CALM, late], 100, RULES, LIMITS)
    assert (verdict.verdict, verdict.reasons) == (Verdict.INCONCLUSIVE, ("at 150/s: lateness p99 80 ms",))
    assert next_rate([CALM, late], 100, RULES, LIMITS) is None
    full = replace(late, nodes=(replace(NODE, refused=9),))
    assert outcome(full, LIMITS) is Outcome.BROKE


def test_the_first_steps_are_the_peak_and_what_is_required() -> None:
    assert next_rate([], 100, RULES, LIMITS) == 100
    assert next_rate([CALM], 100, RULES, LIMITS) == 150


@given(
    peak=st.floats(1, 1e5),
    holds=st.floats(0.01, 20),
    factor=st.floats(1, 3),
    most=st.floats(3, 12),
)
def test_the_knee_is_found(peak: float, holds: float, factor: float, most: float) -> None:
    """Against a target that holds a rate or does not, whatever it is."""
    rules = Capacity(factor=factor, most_factor=most)
    limit = holds * peak
    steps: list[Step] = []
    while (rate := next_rate(steps, peak, rules, LIMITS)) is not None:
        assert rate <= most * peak * (1 + 1e-9)
        assert not any(s.errors and rate >= s.rate_rps for s in steps), "never again what broke"
        steps.append(replace(CALM, rate_rps=rate, errors=0 if rate <= limit else 500))
        assert len(steps) < 20
    verdict = judge_capacity(steps, peak, rules, LIMITS)
    if verdict.knee_rps is None:
        assert holds < LEAST * 2
        assert verdict.verdict is Verdict.FAIL
        return
    assert verdict.knee_rps <= limit
    if verdict.knee_found:
        assert limit <= verdict.knee_rps * RESOLUTION * (1 + 1e-9)
    else:
        assert verdict.knee_rps == pytest.approx(most * peak)
    assert (verdict.verdict is Verdict.PASS) == (limit >= factor * peak), "told exactly, not to 11 %"
    assert verdict.verdict in (Verdict.PASS, Verdict.FAIL)
