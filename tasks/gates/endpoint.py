"""One endpoint of the latency gate: a percentile, or the error rate, of one route; its test at one look.

The test is on pairs: d = ln(p_target / p_source) of each round, and Student's t over the rounds. PASS where
the upper bound of d lies below ln(1 + margin), FAIL where the lower bound lies above it, else inconclusive.

- **floor**: a target whose own upper bound lies below the floor passes whatever the ratio: 1.2 ms instead of
  0.8 ms is not what a customer feels. It can only fail once it is surely above the floor.
- **ceiling**: the target's own bounds must also lie below the ceiling, however slow the source is.
- **error rate**: the same test on the difference of the rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.looks import rounds_for, rounds_needed, rounds_wanted, t_bound
from tasks.gates.rounds_file import Percentile, Round

ERRORS = "errors"
# Fewer requests in a round and the percentile itself is too rough.
MIN_REQUESTS = {"p50": 1_000, "p95": 1_000, "p99": 5_000, ERRORS: 1_000}

Side = tuple[Round, Round]  # source, target


@dataclass(frozen=True)
class Endpoint:
    """`ratio`, `lower` and `upper` are target / source, and differences of the rates for `errors`.

    `sigma_d` is the deviation between rounds, `rounds_needed` how many rounds would give about 90 % power at
    a tie; `rounds_wanted`, of an inconclusive endpoint only, how many at the difference that was observed
    (None: no number of rounds would make this mean a pass).
    """

    verdict: Verdict
    reason: str
    rounds: int
    margin: float
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    sigma_d: float | None = None
    rounds_needed: int | None = None
    rounds_wanted: int | None = None
    source_ms: float | None = None  # geometric mean over the rounds
    target_ms: float | None = None


@dataclass(frozen=True)
class Interval:
    """A mean with its one-sided bounds."""

    mean: float
    lower: float
    upper: float
    sigma: float


def interval(values: Sequence[float], look: int) -> Interval:
    """One value a round, at least two of them."""
    array = np.asarray(values, dtype=np.float64)
    mean, sigma = float(array.mean()), float(array.std(ddof=1))
    reach = t_bound(look, len(array)) * sigma / math.sqrt(len(array))
    return Interval(mean, mean - reach, mean + reach, sigma)


def percentile_endpoint(
    pairs: Sequence[Side], percentile: Percentile, look: int, gate: LatencyGate
) -> Endpoint:
    """Judges complete pairs, at least two."""
    margin = gate.margins[percentile]
    source = [math.log(s.value_ms(percentile)) for s, _ in pairs]
    target = [math.log(t.value_ms(percentile)) for _, t in pairs]
    d = interval([t - s for s, t in zip(source, target, strict=True)], look)
    own = interval(target, look)
    limit, ceiling = math.log1p(margin), math.log(gate.ceiling_ms)
    floor = math.log(gate.floor_ms) if gate.floor_ms > 0 else -math.inf
    wanted = None
    if own.lower > ceiling:
        verdict, reason = Verdict.FAIL, f"above the ceiling of {gate.ceiling_ms:g} ms"
    elif own.upper >= ceiling:
        verdict, reason = Verdict.INCONCLUSIVE, f"not surely below the ceiling of {gate.ceiling_ms:g} ms"
        wanted = rounds_wanted(own.sigma, ceiling - own.mean, limit)
    elif d.upper < limit:
        verdict, reason = Verdict.PASS, ""
    elif own.upper < floor:
        verdict, reason = Verdict.PASS, f"below the floor of {gate.floor_ms:g} ms"
    elif d.lower > limit and own.lower > floor:
        verdict, reason = Verdict.FAIL, f"slower than the margin of {margin:.1%}"
    else:
        verdict, reason = Verdict.INCONCLUSIVE, f"the bounds lie on both sides of the margin of {margin:.1%}"
        wanted = rounds_wanted(d.sigma, limit - d.mean, limit)
    return Endpoint(
        verdict,
        reason,
        len(pairs),
        margin,
        ratio=math.exp(d.mean),
        lower=math.exp(d.lower),
        upper=math.exp(d.upper),
        sigma_d=d.sigma,
        rounds_needed=rounds_needed(d.sigma, margin),
        rounds_wanted=wanted,
        source_ms=math.exp(sum(source) / len(source)),
        target_ms=math.exp(own.mean),
    )


def error_endpoint(pairs: Sequence[Side], look: int, gate: LatencyGate) -> Endpoint:
    """Judges the error rate of complete pairs, at least two."""
    margin = gate.error_rate_margin
    d = interval([t.errors / t.requests - s.errors / s.requests for s, t in pairs], look)
    wanted = None
    if d.upper < margin or (d.sigma == 0 and d.mean <= 0):
        verdict, reason = Verdict.PASS, ""
    elif d.lower > margin:
        verdict, reason = Verdict.FAIL, f"more errors than the margin of {margin:.2%}"
    else:
        verdict, reason = Verdict.INCONCLUSIVE, f"the bounds lie on both sides of the margin of {margin:.2%}"
        wanted = rounds_wanted(d.sigma, margin - d.mean, margin)
    return Endpoint(
        verdict,
        reason,
        len(pairs),
        margin,
        ratio=d.mean,
        lower=d.lower,
        upper=d.upper,
        sigma_d=d.sigma,
        rounds_needed=rounds_for(d.sigma, margin) if margin > 0 else None,
        rounds_wanted=wanted,
    )
