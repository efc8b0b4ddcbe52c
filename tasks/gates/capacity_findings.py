"""What the capacity gate decided, as findings: one for the site, one for each node at the deciding step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.gates.capacity import CapacityVerdict, Limits, NodeSeen, Step, broken, deciding, outcome, unseen

_REMEDY = {
    Verdict.FAIL: "give the target more replicas, processors or conntrack entries, then run it again",
    Verdict.INCONCLUSIVE: "run it from a machine with a core to spare, or lengthen capacity.step_s",
    Verdict.NODATA: "make the reading visible on the node (see the runbook), then run it again",
}


def capacity_findings(
    verdict: CapacityVerdict,
    steps: Sequence[Step],
    limits: Limits,
    evidence: Mapping[str, tuple[Evidence, ...]],
) -> list[Finding]:
    """`evidence` by the node's name; "" is what the run itself left."""
    of_site = Finding(
        code="CAP-KNEE",
        subject="shop",
        verdict=verdict.verdict,
        observed=_told(verdict),
        expected=f"{verdict.required_rps:.0f} requests/s held, the captured peak is {verdict.peak_rps:.0f}/s",
        evidence=evidence.get("", ()),
        remedy=_REMEDY.get(verdict.verdict, ""),
        severity=Severity.CRITICAL,
    )
    step = deciding(steps, verdict.required_rps)
    if step is None:
        return [of_site]
    return [of_site, *(_of_node(seen, step, limits, evidence.get(seen.node, ())) for seen in step.nodes)]


def capacity_figures(verdict: CapacityVerdict, steps: Sequence[Step], limits: Limits) -> dict[str, Any]:
    """For the stage's result; formats in docs/formats.md."""
    rows = [
        asdict(step) | {"outcome": outcome(step, limits).value, "broken": list(broken(step, limits))}
        for step in steps
    ]
    return {**asdict(verdict), "verdict": str(verdict.verdict), "steps": rows}


def _told(verdict: CapacityVerdict) -> str:
    if verdict.knee_rps is None:
        told = "no rate was held"
    else:
        times = verdict.knee_rps / verdict.peak_rps
        where = "the knee is at" if verdict.knee_found else "nothing broke up to"
        told = f"{where} {verdict.knee_rps:.0f} requests/s, {times:.2f} x the captured peak"
    if verdict.knee_broken:
        told += f"; beyond it: {'; '.join(verdict.knee_broken)}"
    if verdict.verdict is not Verdict.PASS:
        told += f" ({'; '.join(verdict.reasons)})"
    return told


def _of_node(seen: NodeSeen, step: Step, limits: Limits, evidence: tuple[Evidence, ...]) -> Finding:
    alone = Step(step.rate_rps, 1, 0, 0.0, 0, (), (seen,), ())
    over, hidden = broken(alone, limits), unseen(alone)
    verdict = Verdict.FAIL if over else Verdict.NODATA if hidden else Verdict.PASS
    readings = (
        f"conntrack {_share(seen.conntrack)}",
        f"refused {'unknown' if seen.refused is None else seen.refused}",
        f"steal p95 {_share(seen.steal_p95)}",
    )
    return Finding(
        code="CAP-NODE",
        subject=seen.node,
        verdict=verdict,
        observed=f"at {step.rate_rps:.0f} requests/s: {', '.join(readings)}",
        expected=f"conntrack below {limits.conntrack:.0%}, 0 refused, steal p95 below {limits.steal:.0%}",
        evidence=evidence,
        remedy=_REMEDY.get(verdict, ""),
        severity=Severity.CRITICAL,
    )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"
