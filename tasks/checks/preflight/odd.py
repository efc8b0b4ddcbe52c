"""PRE-ODD: etcd needs an odd number of members."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.site_limits import ODD
from tasks.checks.context import Admission
from tasks.checks.preflight.declared import judge
from tasks.checks.registry import Check

CODE = ODD


def run(context: Admission) -> Iterable[Finding]:
    """Judge the site file."""
    return judge(context, CODE)


CHECK = Check(CODE, "An odd number of control planes", "preflight", Severity.CRITICAL, run)
