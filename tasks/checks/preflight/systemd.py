"""PRE-SYSTEMD: systemd runs the host, since every program of a node is a unit of it."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.admission.looking import Judged
from tasks.checks.context import Admission
from tasks.checks.preflight.basics import each_host
from tasks.checks.registry import Check
from tasks.facts.host_basics import Basics

CODE = "PRE-SYSTEMD"


def judge(_: str, found: Basics) -> Judged:
    """By the name of process 1."""
    if found.init != "systemd":
        return Judged(
            Verdict.FAIL, f"process 1 is {printable(found.init, 40)}", "install a system that systemd runs"
        )
    return Judged(Verdict.PASS, "process 1 is systemd")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, "process 1 is systemd", Severity.CRITICAL, judge)


CHECK = Check(CODE, "systemd runs the host", "preflight", Severity.CRITICAL, run)
