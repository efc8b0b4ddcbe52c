"""ADM-CGROUP: cgroup version 2, which Kubernetes asks for since 1.35 unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import cgroup

CODE = "ADM-CGROUP"
_REMEDY = (
    "boot with systemd.unified_cgroup_hierarchy=1 (or without =0) on the kernel's command line; until then "
    "`prepare` sets failCgroupV1: false"
)


def judge(_: str, version: int) -> Judged:
    """Version 1 still works where kubelet is told so, without memory protection and pressure of pods."""
    if version == 2:
        return Judged(Verdict.PASS, "version 2")
    said = f"version {version}: no memory protection of pods, and kubelet must be told to take it"
    return Judged(Verdict.WARN, said, _REMEDY)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, "version 2", Severity.MEDIUM, cgroup.ask(), judge)


CHECK = Check(CODE, "cgroup version 2", "admission", Severity.MEDIUM, run)
