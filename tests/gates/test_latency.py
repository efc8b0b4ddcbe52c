"""The latency gate: its verdicts, and what it wants where it cannot tell."""

import numpy as np
import pytest

from inventory.errors import BadInput
from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.latency import judge
from tasks.gates.looks import look_points, rounds_needed
from tasks.gates.rounds_file import Round

GATE = LatencyGate()


def a_round(number: int, side: str, **changes: object) -> Round:
    figures: dict[str, object] = {
        "round": number,
        "side": side,
        "route": "*",
        "requests": 5000,
        "errors": 0,
        "p50_ms": 20.0,
        "p95_ms": 40.0,
        "p99_ms": 60.0,
    }
    return Round.model_validate({**figures, **changes})


def rounds_of(ratios: list[float], percentiles: tuple[str, ...] = ("p50", "p95", "p99")) -> list[Round]:
    """One pair of rounds a ratio; the percentiles that are not named become ten times better."""
    rounds = []
    for number, ratio in enumerate(ratios, start=1):
        rounds.append(a_round(number, "source"))
        target = {
            f"{name}_ms": base * (ratio if name in percentiles else 0.1)
            for name, base in (("p50", 20.0), ("p95", 40.0), ("p99", 60.0))
        }
        rounds.append(a_round(number, "target", **target))
    return rounds


def wobbling(ratio: float, count: int, sigma: float = 0.02) -> list[float]:
    noise = np.random.default_rng(5).normal(0, sigma, count)
    return [float(value) for value in ratio * np.exp(noise - noise.mean())]


def test_a_faster_target_passes_at_the_first_look() -> None:
    verdict = judge(rounds_of(wobbling(0.6, 4)), 12, GATE)
    assert verdict.verdict == Verdict.PASS
    assert [(look.look, look.rounds, look.verdict) for look in verdict.looks] == [(1, 4, Verdict.PASS)]
    p99 = verdict.document()["routes"]["*"]["p99"]
    assert p99["ratio"] == pytest.approx(0.6, abs=1e-6)
    assert p99["lower"] < 0.6 < p99["upper"] < 1.15
    assert (p99["margin"], p99["verdict"], p99["rounds"], p99["rounds_needed"]) == (0.15, "pass", 4, 12)
    assert p99["sigma_d"] > 0


def test_a_slower_target_fails_at_once() -> None:
    verdict = judge(rounds_of(wobbling(1.5, 4)), 12, GATE)
    assert verdict.verdict == Verdict.FAIL
    assert verdict.decided
    assert verdict.reasons[0] == "* p50: fail, slower than the margin of 5.0%"


def test_near_the_margin_is_inconclusive_after_all_rounds() -> None:
    verdict = judge(rounds_of(wobbling(1.12, 12, 0.1), ("p99",)), 12, GATE)
    assert verdict.verdict == Verdict.INCONCLUSIVE
    assert [look.rounds for look in verdict.looks] == [4, 8, 12]
    assert verdict.reasons[0] == "* p99: inconclusive, the bounds lie on both sides of the margin of 15.0%"


def test_it_says_how_many_more_rounds_it_wants() -> None:
    """1.05 (2.93 x 0.1 / ln(1.15 / 1.10))^2 = 45.6: the gap that was seen, not that of a tie."""
    noise = np.array([0.1, -0.1] * 6) * np.sqrt(11 / 12)  # a deviation of 0.1
    verdict = judge(rounds_of((1.10 * np.exp(noise)).tolist(), ("p99",)), 12, GATE)
    assert verdict.routes["*"]["p99"].rounds_wanted == 46
    assert verdict.more_rounds == 34
    assert verdict.reasons[-1] == "wants 34 rounds more: plan 46 and replay anew from round 1"
    assert verdict.document()["more_rounds"] == 34


def test_it_says_that_more_rounds_would_not_make_it_pass() -> None:
    verdict = judge(rounds_of(wobbling(1.17, 12, 0.1), ("p99",)), 12, GATE)
    assert (verdict.verdict, verdict.more_rounds) == (Verdict.INCONCLUSIVE, None)
    assert verdict.reasons[-1] == (
        "more rounds would not make it pass: the mean of * p99 lies on its limit or above it"
    )


def test_an_unfinished_campaign_wants_the_rounds_that_were_planned() -> None:
    verdict = judge(rounds_of(wobbling(1.03, 5, 0.1)), 12, GATE)
    assert (verdict.verdict, verdict.more_rounds) == (Verdict.INCONCLUSIVE, 7)


def test_only_an_inconclusive_answer_wants_more() -> None:
    for ratio in (0.6, 1.6):
        assert judge(rounds_of(wobbling(ratio, 12)), 12, GATE).more_rounds is None


def of_server(ratio: float) -> list[Round]:
    return [r.model_copy(update={"vantage": "server"}) for r in rounds_of(wobbling(ratio, 12))]


def test_a_nearer_site_does_not_hide_slower_compute() -> None:
    clients = rounds_of(wobbling(0.6, 12))
    verdict = judge([*clients, *of_server(1.5)], 12, GATE)
    assert verdict.verdict == Verdict.FAIL
    assert {e.verdict for e in verdict.routes["*"].values()} == {Verdict.PASS}
    assert verdict.reasons[0] == "server * p50: fail, slower than the margin of 5.0%"
    assert judge([*clients, *of_server(0.9)], 12, GATE).verdict == Verdict.PASS


def test_a_server_side_that_is_asked_for_and_missing_blocks() -> None:
    clients = rounds_of(wobbling(0.6, 12))
    assert judge(clients, 12, GATE).server_routes == {}
    asked = GATE.model_copy(update={"require_server_side": True})
    assert judge(clients, 12, asked).verdict == Verdict.NODATA
    assert judge([*clients, *of_server(0.9)], 12, asked).verdict == Verdict.PASS
    half = [r for r in of_server(0.9) if r.round != 2]
    assert judge([*clients, *half], 12, GATE).verdict == Verdict.INCONCLUSIVE


def test_a_tail_only_regression_does_not_pass() -> None:
    """p99 +46 % with the median and p95 as before: what a test on all requests together does not see."""
    rounds = rounds_of(wobbling(1.0, 12))
    rounds = [r.model_copy(update={"p99_ms": r.p99_ms * 1.46}) if r.side == "target" else r for r in rounds]
    verdict = judge(rounds, 12, GATE)
    assert verdict.verdict == Verdict.FAIL
    assert verdict.routes["*"]["p99"].verdict == Verdict.FAIL


@pytest.mark.parametrize("missing", [1, 4, 7, 12])
def test_a_missing_round_is_inconclusive(missing: int) -> None:
    rounds = [r for r in rounds_of(wobbling(1.03, 12, 0.08)) if (r.round, r.side) != (missing, "target")]
    verdict = judge(rounds, 12, GATE)
    assert verdict.verdict == Verdict.INCONCLUSIVE
    assert not verdict.decided


def test_fewer_rounds_than_planned_and_fewer_than_twelve() -> None:
    assert judge(rounds_of(wobbling(1.03, 11, 0.08)), None, GATE).verdict == Verdict.INCONCLUSIVE
    short = judge(rounds_of(wobbling(0.5, 9)), 9, GATE)
    assert short.verdict == Verdict.INCONCLUSIVE
    assert "9 rounds were planned, a pass needs at least 12" in short.reasons
    assert judge(rounds_of(wobbling(2.0, 9)), 9, GATE).verdict == Verdict.FAIL


def test_no_rounds_at_all_are_no_data() -> None:
    assert judge([], 12, GATE).verdict == Verdict.NODATA


def test_too_few_requests_over_all_are_no_data() -> None:
    rounds = [r.model_copy(update={"requests": 4999}) for r in rounds_of(wobbling(0.6, 12))]
    verdict = judge(rounds, 12, GATE)
    assert verdict.verdict == Verdict.NODATA
    assert verdict.reasons[0] == "* p99: nodata, 4999 requests a round, p99 needs 5000"
    assert verdict.routes["*"]["p50"].verdict == Verdict.PASS


def test_a_rare_route_is_shown_and_does_not_block_nor_pass() -> None:
    rounds = rounds_of(wobbling(0.6, 12))
    rare = [r.model_copy(update={"route": "/rare", "requests": 900}) for r in rounds]
    verdict = judge([*rounds, *rare], 12, GATE)
    assert verdict.verdict == Verdict.PASS
    assert {e.verdict for e in verdict.routes["/rare"].values()} == {Verdict.NODATA}


def test_a_route_with_enough_requests_is_gated() -> None:
    rounds = rounds_of(wobbling(0.6, 12))
    slow = [r.model_copy(update={"route": "/search", "requests": 1000}) for r in rounds_of(wobbling(1.6, 12))]
    verdict = judge([*rounds, *slow], 12, GATE)
    assert verdict.verdict == Verdict.FAIL
    assert verdict.routes["/search"]["p99"].verdict == Verdict.NODATA
    assert verdict.routes["*"]["p99"].verdict == Verdict.PASS


def test_a_route_that_is_rare_in_some_rounds_only_blocks() -> None:
    rounds = rounds_of(wobbling(0.6, 12))
    route = [
        r.model_copy(update={"route": "/search", "requests": 900 if r.round == 3 else 1100}) for r in rounds
    ]
    assert judge([*rounds, *route], 12, GATE).verdict == Verdict.INCONCLUSIVE


def test_unequal_counts_of_the_sides_are_judged() -> None:
    rounds = [
        r.model_copy(update={"requests": 5000 if r.side == "source" else 9000})
        for r in rounds_of(wobbling(0.6, 12))
    ]
    assert judge(rounds, 12, GATE).verdict == Verdict.PASS


def test_what_the_servers_state_has_a_floor_of_its_own() -> None:
    slower = [*rounds_of(wobbling(0.5, 12)), *of_server(1.6)]
    assert judge(slower, 12, GATE).verdict == Verdict.FAIL
    assert judge(slower, 12, GATE.model_copy(update={"server_floor_ms": 1000.0})).verdict == Verdict.PASS
    clients = [*rounds_of(wobbling(1.6, 12)), *of_server(0.5)]
    assert judge(clients, 12, GATE.model_copy(update={"server_floor_ms": 1000.0})).verdict == Verdict.FAIL


def test_the_floor_and_the_ceiling() -> None:
    tiny = [
        r.model_copy(update={n: getattr(r, n) / 100 for n in ("p50_ms", "p95_ms", "p99_ms")})
        for r in rounds_of(wobbling(1.6, 12))
    ]
    below = judge(tiny, 12, GATE)
    assert below.verdict == Verdict.PASS
    assert below.routes["*"]["p99"].reason == "below the floor of 2 ms"
    assert judge(tiny, 12, GATE.model_copy(update={"floor_ms": 0.0})).verdict == Verdict.FAIL
    capped = GATE.model_copy(update={"ceiling_ms": 30.0})
    above = judge(rounds_of(wobbling(0.9, 12)), 12, capped)
    assert above.verdict == Verdict.FAIL
    assert above.routes["*"]["p99"].reason == "above the ceiling of 30 ms"


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [(0, Verdict.PASS), (2, Verdict.PASS), (5, Verdict.INCONCLUSIVE), (50, Verdict.FAIL)],
)
def test_the_error_rate_may_rise_by_a_tenth_of_a_percentage_point(errors: int, verdict: Verdict) -> None:
    rounds = [
        r.model_copy(update={"errors": 2 * errors * (r.round % 2)}) if r.side == "target" else r
        for r in rounds_of(wobbling(0.6, 12))
    ]
    judged = judge(rounds, 12, GATE)
    assert judged.routes["*"]["errors"].verdict == verdict
    assert judged.verdict == verdict


def test_a_round_beyond_the_plan_is_bad_input() -> None:
    with pytest.raises(BadInput, match="round 13 lies beyond the 12 rounds"):
        judge(rounds_of(wobbling(1.0, 13)), 12, GATE)


def test_rounds_may_be_numbered_from_zero() -> None:
    rounds = [r.model_copy(update={"round": r.round - 1}) for r in rounds_of(wobbling(0.6, 12))]
    assert judge(rounds, None, GATE).verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("margin", "sigma", "rounds"),
    [(0.10, 0.1, 12), (0.10, 0.2, 40), (0.15, 0.2, 19), (0.15, 0.3, 42), (0.25, 0.3, 17), (0.15, 0.0, 12)],
)
def test_rounds_needed(margin: float, sigma: float, rounds: int) -> None:
    assert rounds_needed(sigma, margin) == rounds


@pytest.mark.parametrize(("planned", "points"), [(12, (4, 8, 12)), (13, (5, 9, 13)), (21, (7, 14, 21))])
def test_looks(planned: int, points: tuple[int, ...]) -> None:
    assert look_points(planned) == points
