"""Makes a finding of an answer; what could not be asked is an error."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.context import ControlPlane
from tasks.checks.evidence import observed
from tasks.drivers.errors import OutsideError


@dataclass(frozen=True)
class Said:
    """What a check says of one subject."""

    subject: str
    verdict: Verdict
    observed: str
    remedy: str = ""


def finding(
    context: ControlPlane, code: str, expected: str, severity: Severity, said: Said, source: str, raw: str
) -> Finding:
    """A finding whose evidence is the raw answer."""
    return Finding(
        code=code,
        subject=said.subject,
        verdict=said.verdict,
        observed=said.observed,
        expected=expected,
        evidence=(observed(context.clock, source, raw, Grade.E2),),
        remedy=said.remedy,
        severity=severity,
    )


def unseen(code: str, subject: str, expected: str, severity: Severity, error: OutsideError) -> Finding:
    """What could not be asked: never a pass."""
    return Finding(
        code=code,
        subject=subject,
        verdict=Verdict.ERROR,
        observed=printable(error.what),
        expected=expected,
        remedy=error.remedy or "make it answer and run the check again",
        severity=severity,
    )
