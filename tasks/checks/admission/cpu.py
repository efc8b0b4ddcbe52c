"""ADM-CPU: processors enough for what the node will run."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.cluster import Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import memory

CODE = "ADM-CPU"
PLANE = 2  # kubeadm's own minimum for a control plane


def judge(found: memory.Memory, least: int) -> Judged:
    """The processors that the kernel has."""
    said = f"{found.processors} processors"
    if found.processors < least:
        return Judged(Verdict.FAIL, said, f"give the host at least {least}")
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host by its role."""
    planes = {node.name for node in context.site.target.having(Role.CONTROL_PLANE)}
    expected = f"{PLANE} on a control plane, 1 on a worker"

    def by_role(name: str, found: memory.Memory) -> Judged:
        return judge(found, PLANE if name in planes else 1)

    return each_host(context, CODE, expected, Severity.HIGH, memory.ask(), by_role)


CHECK = Check(CODE, "Processors are enough", "admission", Severity.HIGH, run)
