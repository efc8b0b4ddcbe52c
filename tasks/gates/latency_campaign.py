"""Runs rounds until the gate has decided, and says as findings what it decided."""

from __future__ import annotations

from collections.abc import Callable

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.endpoint import ERRORS
from tasks.gates.latency import LatencyVerdict, judge
from tasks.gates.latency_reasons import OVER_ALL, blocking
from tasks.gates.looks import look_points
from tasks.gates.rounds_file import Round
from tasks.replay.rounds import Campaign, Pair

CODE = "LATENCY"


def _silent(pair: Pair) -> None:
    del pair


def judged_campaign(
    campaign: Campaign, gate: LatencyGate, on_pair: Callable[[Pair], None] = _silent
) -> LatencyVerdict:
    """Takes rounds from the campaign; stops at a look that decides, or at a round that could not be run (the
    answer can then only be inconclusive). Raises what the replay raises."""
    looks = look_points(campaign.planned)
    rounds: list[Round] = []
    for pair in campaign.run_pairs():
        on_pair(pair)
        rounds.extend(Round(**figures.__dict__) for figures in pair.figures)
        if not pair.figures:
            break
        if pair.number in looks and judge(rounds, campaign.planned, gate).decided:
            break
    return judge(rounds, campaign.planned, gate)


def latency_findings(verdict: LatencyVerdict, evidence: tuple[Evidence, ...] = ()) -> list[Finding]:
    """One finding for the gate's verdict, and one for each endpoint that was judged.

    A rare route's `nodata` is told in the first one only: it does not block, its requests are judged in `*`.
    """
    untold = [
        f"{route} {name}"
        for route, endpoints in verdict.routes.items()
        for name, endpoint in endpoints.items()
        if endpoint.verdict == Verdict.NODATA and route != OVER_ALL
    ]
    told = (
        "; ".join(verdict.reasons) or f"not slower than the margins after {verdict.looks[-1].rounds} rounds"
    )
    if untold:
        told += f" (too few requests to be judged alone: {', '.join(untold)})"
    if not verdict.server_routes:
        told += " (as clients observed it; the servers' own times were not measured)"
    findings = [_finding("shop", verdict.verdict, told, "", evidence)]
    judged = {"client": verdict.routes, "server": verdict.server_routes}
    for subject, endpoint in blocking(judged):
        if endpoint.ratio is None or endpoint.lower is None or endpoint.upper is None:
            observed, expected = endpoint.reason, ""
        elif subject.endswith(f" {ERRORS}"):
            observed = f"{endpoint.ratio:+.3%} errors, at most {endpoint.upper:+.3%}"
            expected = f"at most {endpoint.margin:+.2%} errors"
        else:
            observed = (
                f"{endpoint.source_ms:.1f} ms became {endpoint.target_ms:.1f} ms, "
                f"ratio {endpoint.ratio:.3f} ({endpoint.lower:.3f} to {endpoint.upper:.3f})"
            )
            expected = f"ratio below {1 + endpoint.margin:.2f}"
        if verdict.verdict != Verdict.PASS and endpoint.verdict == Verdict.PASS:
            observed += f" after {endpoint.rounds} rounds"
        findings.append(_finding(subject, endpoint.verdict, observed, expected, evidence))
    return findings


def _finding(
    subject: str, verdict: Verdict, observed: str, expected: str, evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        code=CODE,
        subject=subject,
        verdict=verdict,
        observed=observed,
        expected=expected or "no endpoint slower than its margin, at 5 % error",
        evidence=evidence,
        remedy="" if verdict.lets_go_on else _REMEDY[verdict],
        severity=Severity.CRITICAL,
    )


_REMEDY = {
    Verdict.FAIL: "compare the service times of the slow route on both sides, mend the target, replay again",
    Verdict.INCONCLUSIVE: "give replay.rounds what it wants, or quieten what makes the rounds differ",
    Verdict.NODATA: "raise replay.requests_per_round to 5000 or more",
    Verdict.ERROR: "mend what failed and replay again",
}
