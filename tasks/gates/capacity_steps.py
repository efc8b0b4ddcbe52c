"""Which rate comes next: up until something breaks, then between what held and what broke.

It begins at the captured peak, goes up by half each, by way of the required rate, and never above a rate that
broke. Between what held and what broke it takes the geometric mean until they lie within `RESOLUTION`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from inventory.models.site import Capacity
from tasks.gates.capacity import Limits, Outcome, Step, outcome, required_rps

GROWTH = 1.5
RESOLUTION = 1.11  # the knee is known to 11 %: two halvings of a growth by half
LEAST = 1 / 16  # of the peak: where a target breaks there, no knee is looked for


def next_rate(steps: Sequence[Step], peak_rps: float, capacity: Capacity, limits: Limits) -> float | None:
    """The next step's rate in requests/s; None where there is nothing more to find out."""
    if not steps:
        return peak_rps
    outcomes = [(step.rate_rps, outcome(step, limits)) for step in steps]
    broke = min((rate for rate, what in outcomes if what is Outcome.BROKE), default=math.inf)
    held = max((rate for rate, what in outcomes if what is Outcome.HELD and rate < broke), default=0.0)
    if any(what is Outcome.UNTOLD and rate < broke for rate, what in outcomes):
        return None  # faster than this generator can tell
    required = required_rps(peak_rps, capacity)
    if held < required < min(broke, held * GROWTH * (1 + 1e-9)):
        return required
    if math.isinf(broke):
        most = capacity.most_factor * peak_rps
        return min(held * GROWTH, most) if held < most else None
    if held:
        if broke / held <= RESOLUTION and held < required < broke:
            return required
        return math.sqrt(held * broke) if broke / held > RESOLUTION else None
    return broke / 2 if broke / 2 >= LEAST * peak_rps else None
