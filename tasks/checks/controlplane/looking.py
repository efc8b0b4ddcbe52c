"""Makes a finding of an answer; what could not be asked is an error."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import ControlPlane
from tasks.checks.evidence import observed


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
