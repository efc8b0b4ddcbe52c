"""PRE-BINARIES: the programs that kubeadm calls are there, or `prepare` can install them."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged
from tasks.checks.context import Admission
from tasks.checks.preflight.basics import INSTALLED_PROGRAMS, OWN_PROGRAMS, each_host
from tasks.checks.registry import Check
from tasks.facts.host_basics import Basics

CODE = "PRE-BINARIES"


def judge(_: str, found: Basics) -> Judged:
    """By the search path."""
    lacking = [name for name in OWN_PROGRAMS if name not in found.programs]
    later = [name for name in INSTALLED_PROGRAMS if name not in found.programs]
    if later and "apt-get" not in found.programs:
        lacking += later
    if lacking:
        return Judged(
            Verdict.FAIL, f"there is no {', '.join(lacking)}", "install util-linux, iproute2, iptables"
        )
    if later:
        return Judged(Verdict.PASS, f"to be installed by prepare: {', '.join(later)}")
    return Judged(Verdict.PASS, f"{', '.join((*INSTALLED_PROGRAMS, *OWN_PROGRAMS))} are there")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, "ip, iptables, mount and nsenter", Severity.HIGH, judge)


CHECK = Check(CODE, "The programs that kubeadm calls are there", "preflight", Severity.HIGH, run)
