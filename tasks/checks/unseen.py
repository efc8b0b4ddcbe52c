"""The finding of a subject that could not be asked, or whose answer makes no sense."""

from __future__ import annotations

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.drivers.errors import OutsideError


def unseen(code: str, subject: str, expected: str, severity: Severity, error: OutsideError) -> Finding:
    """Never a pass: an error, with what to do."""
    return Finding(
        code=code,
        subject=subject,
        verdict=Verdict.ERROR,
        observed=printable(error.what),
        expected=expected,
        remedy=error.remedy or "make it answer and run the check again",
        severity=severity,
    )
