"""PRE-ROOM: the pods' network has a share for every node, and the Services' network is large enough."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.site_limits import ROOM
from tasks.checks.context import Admission
from tasks.checks.preflight.declared import judge
from tasks.checks.registry import Check

CODE = ROOM


def run(context: Admission) -> Iterable[Finding]:
    """Judge the site file."""
    return judge(context, CODE)


CHECK = Check(CODE, "The networks are large enough", "preflight", Severity.CRITICAL, run)
