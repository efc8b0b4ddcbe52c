"""The latency gate's rule on thousands of made-up comparisons at once, and how their rounds differ.

`decided` is the rule of `tasks.gates.latency` in numpy; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.gates.looks import look_points, t_bound

Floats = NDArray[np.float64]
Dice = np.random.Generator
Noise = Callable[[Dice, int, int, float], Floats]  # (dice, replicates, rounds, sigma_d) -> d around 0

SEED = 20151006
REPLICATES = 20_000  # the standard error of a share of 5.5 % is then 0.16 points; of 2,000 it is 0.5


@dataclass(frozen=True)
class Shares:
    """How the replicates ended, 0..1, and how many rounds they took on average."""

    passed: float
    failed: float
    rounds: float


def decided(d: Sequence[Floats], margins: Sequence[float]) -> Shares:
    """Three looks at d = ln(target / source), one array (replicates, rounds) an endpoint; NaN: missing."""
    replicates, planned = d[0].shape
    passed, failed = np.zeros(replicates, bool), np.zeros(replicates, bool)
    taken = np.full(replicates, planned)
    for look, count in enumerate(look_points(planned)):
        passes, fails = np.ones(replicates, bool), np.zeros(replicates, bool)
        for values, margin in zip(d, margins, strict=True):
            seen, limit = values[:, :count], np.log1p(margin)
            mean = seen.mean(axis=1)  # NaN where a round is missing: then no comparison holds
            reach = t_bound(look, count) * seen.std(axis=1, ddof=1) / np.sqrt(count)
            passes &= mean + reach < limit
            fails |= mean - reach > limit
        open_ = ~(passed | failed)
        taken[open_ & (passes | fails)] = count
        passed |= open_ & passes
        failed |= open_ & fails
    return Shares(float(passed.mean()), float(failed.mean()), float(taken.mean()))


def normal(dice: Dice, replicates: int, rounds: int, sigma: float) -> Floats:
    """Rounds that differ by normal noise."""
    return dice.normal(0, sigma, (replicates, rounds))


def heavy_tailed(dice: Dice, replicates: int, rounds: int, sigma: float) -> Floats:
    """Student's t with 5 degrees of freedom, at the same deviation."""
    return np.asarray(dice.standard_t(5, (replicates, rounds)) * sigma / np.sqrt(5 / 3))


def drifting(dice: Dice, replicates: int, rounds: int, sigma: float) -> Floats:
    """Both sides get slower by half in the course of it, one of them by a tenth of that more."""
    course = np.linspace(-0.5, 0.5, rounds) * 0.1 * np.log(1.5)
    side = dice.choice((-1.0, 1.0), (replicates, 1))
    return np.asarray(normal(dice, replicates, rounds, sigma) + course * side)


def unequal_counts(dice: Dice, replicates: int, rounds: int, sigma: float) -> Floats:
    """Rounds of 5,000 to 25,000 requests: the deviation of each falls with the root of its count."""
    count = dice.uniform(1, 5, (replicates, rounds))
    scale = np.sqrt(1 / count)
    return np.asarray(normal(dice, replicates, rounds, sigma) * scale / np.sqrt(np.mean(1 / count)))


def correlated(dice: Dice, replicates: int, rounds: int, sigma: float) -> Floats:
    """Neighbouring rounds that share 30 % of their noise (AR(1)): what no t over rounds is made for."""
    fresh = normal(dice, replicates, rounds, sigma)
    for number in range(1, rounds):
        fresh[:, number] = 0.3 * fresh[:, number - 1] + np.sqrt(1 - 0.3**2) * fresh[:, number]
    return fresh


NOISES: dict[str, Noise] = {
    "normal": normal,
    "heavy-tailed": heavy_tailed,
    "drifting": drifting,
    "unequal counts": unequal_counts,
}


def at_ratio(noise: Noise, ratio: float, margin: float, sigma: float, rounds: int, replicates: int) -> Shares:
    """How the gate judges a target of this true ratio."""
    dice = np.random.default_rng([SEED, rounds, round(1000 * ratio)])
    return decided([np.log(ratio) + noise(dice, replicates, rounds, sigma)], [margin])


def tail_only(tail_ratio: float, rounds: int, replicates: int) -> Shares:
    """p50 and p95 as before, p99 slower by `tail_ratio`; the default margins, one noise in all three."""
    dice = np.random.default_rng([SEED, rounds])
    shared = normal(dice, replicates, rounds, 0.05)
    endpoints = [shared + normal(dice, replicates, rounds, own) for own in (0.02, 0.05, 0.1)]
    endpoints[2] += np.log(tail_ratio)
    return decided(endpoints, (0.05, 0.10, 0.15))


def missing(share: float, ratio: float, rounds: int, replicates: int, *, always: bool = False) -> Shares:
    """Rounds get lost with the probability `share`; `always`: one of the first look's for certain."""
    dice = np.random.default_rng([SEED, rounds, round(1000 * share)])
    d = np.log(ratio) + normal(dice, replicates, rounds, 0.2)
    d[dice.random(d.shape) < share] = np.nan
    if always:
        d[np.arange(replicates), dice.integers(0, look_points(rounds)[0], replicates)] = np.nan
    return decided([d], [0.15])


def peeking(ratio: float, margin: float, sigma: float, rounds: int, replicates: int) -> float:
    """The peer: a plain 5 % t test at each of the three looks. The share that passes."""
    from scipy.special import stdtrit

    dice = np.random.default_rng([SEED, rounds, round(1000 * ratio)])
    d = np.log(ratio) + normal(dice, replicates, rounds, sigma)
    passed = np.zeros(replicates, bool)
    for count in look_points(rounds):
        seen = d[:, :count]
        reach = stdtrit(count - 1, 0.95) * seen.std(axis=1, ddof=1) / np.sqrt(count)
        passed |= seen.mean(axis=1) + reach < np.log1p(margin)
    return float(passed.mean())
