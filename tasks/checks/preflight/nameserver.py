"""PRE-NAMESERVER: the host has a name server, or no name outside /etc/hosts is ever found."""

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

CODE = "PRE-NAMESERVER"


def judge(_: str, found: Basics) -> Judged:
    """By /etc/resolv.conf, which pods are given as well."""
    if not found.nameservers:
        return Judged(
            Verdict.FAIL, "/etc/resolv.conf names no server", "name one there, or in the DHCP lease"
        )
    return Judged(Verdict.PASS, printable(", ".join(found.nameservers), 120))


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, "a nameserver in /etc/resolv.conf", Severity.HIGH, judge)


CHECK = Check(CODE, "The host has a name server", "preflight", Severity.HIGH, run)
