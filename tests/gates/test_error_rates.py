"""The latency gate's own error rates, by simulation with a fixed seed: as docs/gate-error-rates.md."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate_rates import NOISES, at_ratio, decided, missing, peeking, tail_only
from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.latency import judge
from tasks.gates.looks import rounds_needed
from tests.gates.test_latency import rounds_of

REPLICATES = 2_000
MARGIN, SIGMA = 0.15, 0.2
ROUNDS = rounds_needed(SIGMA, MARGIN)


@pytest.mark.parametrize("noise", NOISES)
def test_error_rates(noise: str) -> None:
    def shares(ratio: float) -> tuple[float, float]:
        found = at_ratio(NOISES[noise], ratio, MARGIN, SIGMA, ROUNDS, REPLICATES)
        return found.passed, found.failed

    assert shares(1 + MARGIN)[0] <= 0.065
    passed, failed = shares(1.0)
    assert passed >= 0.88
    assert failed <= 0.01
    passed, failed = shares(1 + 2 * MARGIN)
    assert passed <= 0.005
    assert failed >= 0.7


def test_a_tail_only_regression_does_not_pass() -> None:
    found = tail_only(1.46, 21, REPLICATES)
    assert found.passed <= 0.005
    assert found.failed >= 0.88


def test_lost_rounds_do_not_help() -> None:
    certain = missing(0.0, 0.5, 21, REPLICATES, always=True)
    assert (certain.passed, certain.failed) == (0, 0)
    assert missing(0.1, 1 + MARGIN, 21, REPLICATES).passed <= 0.065


def test_the_bound_notices_a_worse_rule() -> None:
    """A plain t test at each look passes twice as often as it may: the bound of 6.5 % can fail."""
    assert peeking(1 + MARGIN, MARGIN, SIGMA, ROUNDS, REPLICATES) > 0.065


def test_what_is_simulated_is_the_gate() -> None:
    """The vectorised rule and the gate's own say the same of the same rounds, a missing one included."""
    gate = LatencyGate(margins={"p50": MARGIN, "p95": MARGIN, "p99": MARGIN})
    dice = np.random.default_rng(11)
    seen = set()
    for ratio in (0.9, 1.0, 1.15, 1.3, 1.5):
        for number in range(4):
            d = np.log(ratio) + dice.normal(0, SIGMA, ROUNDS)
            lost = 3 if number == 3 else None
            rounds = [r for r in rounds_of(np.exp(d).tolist(), ("p99",)) if r.round != lost]
            verdict = judge(rounds, ROUNDS, gate)
            d[[] if lost is None else [lost - 1]] = np.nan
            found = decided([d[None, :]], [MARGIN])
            assert (found.passed, found.failed) == (
                verdict.verdict is Verdict.PASS,
                verdict.verdict is Verdict.FAIL,
            )
            assert lost is not None or found.rounds == verdict.looks[-1].rounds
            seen.add(verdict.verdict)
    assert seen == {Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE}
