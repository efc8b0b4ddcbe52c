"""When the gate looks, and how sure it must be at each look.

Three looks, after a third, two thirds and all of the planned rounds, with the O'Brien-Fleming bounds
z = 3.18, 2.14, 1.69: together they pass a target that is exactly too slow in at most 5 % of cases. The sigma
of so few rounds is an estimate, so each z becomes the quantile of Student's t with the same tail
probability, for rounds - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from functools import cache

from scipy.special import ndtr, stdtrit  # scipy.stats has the same, and takes 50 MB more

Z_BOUNDS = (3.18, 2.14, 1.69)
MIN_ROUNDS = 12


def look_points(planned: int) -> tuple[int, ...]:
    """After how many rounds the gate looks: 12 -> (4, 8, 12)."""
    return tuple(math.ceil(planned * k / 3) for k in (1, 2, 3))


@cache
def tail(look: int) -> float:
    """One-sided error that look 0, 1 or 2 may spend at most."""
    return float(ndtr(-Z_BOUNDS[look]))


@cache
def t_bound(look: int, rounds: int) -> float:
    """How many standard errors of the mean the bounds lie apart from it."""
    return float(-stdtrit(rounds - 1, tail(look)))


def rounds_needed(sigma_d: float, margin: float) -> int:
    """Rounds for about 90 % power at a true tie: ceil(1.05 (2.93 sigma / ln(1 + margin))^2), at least 12."""
    return rounds_for(sigma_d, math.log1p(margin))


def rounds_for(sigma: float, gap: float) -> int:
    """The same for a mean that lies `gap` (above 0) below its limit, at a deviation of `sigma` a round."""
    return max(MIN_ROUNDS, math.ceil(1.05 * (2.93 * sigma / gap) ** 2))


def rounds_wanted(sigma: float, gap: float, at_tie: float) -> int | None:
    """Rounds that an inconclusive answer wants: for the gap that was observed, or that of a tie if smaller.

    None where the observed mean lies on the limit or above it: more rounds would then fail, not pass.
    """
    return rounds_for(sigma, min(gap, at_tie)) if gap > 0 and at_tie > 0 else None
