"""What the stages before the gate have left standing: one finding, so that the gate cannot pass over it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from inventory.models.finding import Finding, Severity, Waiver
from inventory.models.verdict import Verdict
from tasks.gates.decision import decide

CODE = "GATE-EARLIER"


def left_standing(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date, not_run: Sequence[str] = ()
) -> list[Finding]:
    """No finding where all of them let the exit go on, or are waived today; `not_run` names absent stages."""
    standing = decide(findings, waivers, today).reasons if findings else ()
    absent = tuple(f"{name} has not run" for name in not_run)
    if not standing and not absent:
        return []
    return [
        Finding(
            code=CODE,
            subject="site",
            verdict=Verdict.FAIL if standing else Verdict.NODATA,
            observed="; ".join((*standing, *absent)),
            expected="every earlier stage has run, and every finding of it lets the exit go on",
            remedy="mend what it names, run its stage again, judge again",
            severity=Severity.CRITICAL,
        )
    ]
