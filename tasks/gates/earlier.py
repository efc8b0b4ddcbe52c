"""What the stages before the gate have left standing: one finding, so that the gate cannot pass over it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from inventory.models.finding import Finding, Severity, Waiver
from inventory.models.verdict import Verdict
from tasks.gates.decision import decide

CODE = "GATE-EARLIER"


def left_standing(findings: Sequence[Finding], waivers: Sequence[Waiver], today: date) -> list[Finding]:
    """No finding where all of them let the exit go on, or are waived today."""
    reasons = decide(findings, waivers, today).reasons if findings else ()
    if not reasons:
        return []
    return [
        Finding(
            code=CODE,
            subject="site",
            verdict=Verdict.FAIL,
            observed="; ".join(reasons),
            expected="every finding of the earlier stages lets the exit go on",
            remedy="mend what it names, run its stage again, judge again",
            severity=Severity.CRITICAL,
        )
    ]
