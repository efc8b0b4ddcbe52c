"""PRE-PODS: a node's share of the pods' network holds as many pods as it may run."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.site_limits import PODS
from tasks.checks.context import Admission
from tasks.checks.preflight.declared import judge
from tasks.checks.registry import Check

CODE = PODS


def run(context: Admission) -> Iterable[Finding]:
    """Judge the site file."""
    return judge(context, CODE)


CHECK = Check(CODE, "A node's pods fit its network", "preflight", Severity.CRITICAL, run)
