"""May the next share of traffic be shifted? Judged by what the edges counted since the last shift."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict

CODE = "CUT-SHIFT"

Counters = Mapping[str, Mapping[str, int]]  # side -> {requests, errors}, cumulative


def difference(before: Counters, after: Counters) -> dict[str, dict[str, int]]:
    """What was counted in between, per side. A counter that went back (the edge was restarted) counts from 0."""
    spent: dict[str, dict[str, int]] = {}
    for side, now in after.items():
        then = before.get(side, {})
        restarted = any(now[key] < then.get(key, 0) for key in ("requests", "errors"))
        spent[side] = {
            key: now[key] - (0 if restarted else then.get(key, 0)) for key in ("requests", "errors")
        }
    return spent


def judge_shift(percent: int, spent: Counters, *, max_error_rate: float, min_requests: int) -> Finding:
    """A finding about the target's share of `percent`.

    `fail` where the target's error rate is above `max_error_rate`; `nodata` where the whole site answered
    fewer than `min_requests` requests, or the target none although it has a share: no traffic is no proof.
    """
    target = spent.get("target", {"requests": 0, "errors": 0})
    total = sum(side["requests"] for side in spent.values())
    rate = target["errors"] / target["requests"] if target["requests"] else 0.0
    observed = (
        f"{total} requests, {target['requests']} of them at the target, {target['errors']} errors ({rate:.2%})"
    )
    if target["errors"] and (not target["requests"] or rate > max_error_rate):
        verdict, remedy = Verdict.FAIL, "look at the target's edge and pods; traffic is taken back by itself"
    elif total < min_requests or (percent > 0 and not target["requests"]):
        verdict, remedy = Verdict.NODATA, "shift while there is traffic, or lengthen cutover.step_hold_s"
    else:
        verdict, remedy = Verdict.PASS, ""
    return Finding(
        code=CODE,
        subject=f"share/{percent}%",
        verdict=verdict,
        observed=observed,
        expected=f"at least {min_requests} requests, error rate at the target <= {max_error_rate:.2%}",
        remedy=remedy,
        severity=Severity.CRITICAL,
    )
