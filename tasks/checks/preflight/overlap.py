"""PRE-OVERLAP: no declared network overlaps another."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.site_limits import OVERLAP
from tasks.checks.context import Admission
from tasks.checks.preflight.declared import judge
from tasks.checks.registry import Check

CODE = OVERLAP


def run(context: Admission) -> Iterable[Finding]:
    """Judge the site file."""
    return judge(context, CODE)


CHECK = Check(CODE, "The networks keep clear of each other", "preflight", Severity.CRITICAL, run)
