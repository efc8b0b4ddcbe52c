"""PRE-CGROUP: the kernel has the cgroup controllers by which kubelet limits pods (as kubeadm verifies)."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged
from tasks.checks.context import Admission
from tasks.checks.preflight.basics import each_host
from tasks.checks.registry import Check
from tasks.facts.host_basics import Basics

CODE = "PRE-CGROUP"
NEEDED = ("cpu", "cpuset", "memory", "pids")


def judge(_: str, found: Basics) -> Judged:
    """By /proc/cgroups."""
    if not found.controllers:
        return Judged(Verdict.FAIL, "/proc/cgroups names no controller", "use the distribution's own kernel")
    missing = [name for name in NEEDED if name not in found.controllers]
    if missing:
        return Judged(
            Verdict.FAIL,
            f"the kernel has no controller {', '.join(missing)}",
            "take cgroup_disable off the kernel's command line (memory: cgroup_enable=memory), and reboot",
        )
    return Judged(Verdict.PASS, f"{', '.join(NEEDED)} are enabled")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, f"controllers {', '.join(NEEDED)}", Severity.CRITICAL, judge)


CHECK = Check(CODE, "cgroups can be read", "preflight", Severity.CRITICAL, run)
