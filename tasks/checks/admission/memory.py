"""ADM-MEM: memory enough for what the node will run."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.cluster import Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import memory

CODE = "ADM-MEM"
# kubeadm's own minimum for a control plane; a worker's programs take 330 MB (reference of the rehearsal).
PLANE_KIB = 1700 * 1024
WORKER_KIB = 1000 * 1024


def judge(found: memory.Memory, least_kib: int) -> Judged:
    """Total memory, as kubeadm looks at it."""
    said = f"{found.total_kib // 1024} MiB, {found.available_kib // 1024} MiB available"
    if found.total_kib < least_kib:
        return Judged(Verdict.FAIL, said, f"give the host at least {least_kib // 1024} MiB")
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host by its role."""
    planes = {node.name for node in context.site.target.having(Role.CONTROL_PLANE)}
    expected = f"{PLANE_KIB // 1024} MiB on a control plane, {WORKER_KIB // 1024} MiB on a worker"

    def by_role(name: str, found: memory.Memory) -> Judged:
        return judge(found, PLANE_KIB if name in planes else WORKER_KIB)

    return each_host(context, CODE, expected, Severity.HIGH, memory.ask(), by_role)


CHECK = Check(CODE, "Memory is enough", "admission", Severity.HIGH, run)
