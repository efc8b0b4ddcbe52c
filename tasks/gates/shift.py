"""May the next share of traffic be shifted? Judged by what the edges counted since the last shift."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict

CODE = "CUT-SHIFT"

# side -> {requests, errors, fallbacks}, counted since the edge's start, and {servers_up} now
Counters = Mapping[str, Mapping[str, int]]
CUMULATIVE = ("requests", "errors", "fallbacks")


def difference(before: Counters, after: Counters) -> dict[str, dict[str, int]]:
    """What was counted in between, per side. A counter that went back (a restarted edge) counts from 0."""
    spent: dict[str, dict[str, int]] = {}
    for side, now in after.items():
        then = before.get(side, {})
        restarted = any(now[key] < then.get(key, 0) for key in CUMULATIVE)
        spent[side] = {key: now[key] - (0 if restarted else then.get(key, 0)) for key in CUMULATIVE}
        spent[side]["servers_up"] = now["servers_up"]
    return spent


def judge_shift(percent: int, spent: Counters, *, max_error_rate: float, min_requests: int) -> Finding:
    """A finding about the target's share of `percent`.

    `fail` where the target has a share and no server of it is up, where one of its requests had to fall back
    to the source, or where its error rate is above `max_error_rate`; `nodata` where the whole site answered
    fewer than `min_requests` requests, or the target none although it has a share: no traffic is no proof.
    """
    target = spent["target"]
    requests, errors, fallbacks = (target[key] for key in CUMULATIVE)
    total = sum(side["requests"] for side in spent.values())
    rate = errors / requests if requests else 0.0
    observed = (
        f"{total} requests, {requests} of them at the target: {errors} errors ({rate:.2%}), "
        f"{fallbacks} fell back to the source; {target['servers_up']} servers up"
    )
    dead = percent > 0 and (not target["servers_up"] or fallbacks > 0)
    if dead or (errors and (not requests or rate > max_error_rate)):
        verdict, remedy = Verdict.FAIL, "look at the target's edge and pods; traffic is taken back by itself"
    elif total < min_requests or (percent > 0 and not requests):
        verdict, remedy = Verdict.NODATA, "shift while there is traffic, or lengthen cutover.step_hold_s"
    else:
        verdict, remedy = Verdict.PASS, ""
    return Finding(
        code=CODE,
        subject=f"share/{percent}%",
        verdict=verdict,
        observed=observed,
        expected=f"{min_requests} requests or more, no fallback, target errors <= {max_error_rate:.2%}",
        remedy=remedy,
        severity=Severity.CRITICAL,
    )
