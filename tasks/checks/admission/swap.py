"""ADM-SWAP: no swap, so that a pod's memory is memory."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import memory

CODE = "ADM-SWAP"


def judge(_: str, found: memory.Memory) -> Judged:
    """The areas in use."""
    if not found.swaps:
        return Judged(Verdict.PASS, "no swap")
    areas = ", ".join(found.swaps)
    remedy = "run on the host: swapoff -a, and take the swap lines out of /etc/fstab"
    return Judged(Verdict.FAIL, f"{found.swap_total_kib // 1024} MiB of swap on {areas}", remedy)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, "no swap area in use", Severity.HIGH, memory.ask(), judge)


CHECK = Check(CODE, "Swap is off", "admission", Severity.HIGH, run)
