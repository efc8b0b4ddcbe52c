"""PRE-OS: a system whose packages and paths `prepare` knows: Debian 11 or newer, Ubuntu 22.04 or newer."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import os_release
from tasks.facts.os_release import System

CODE = "PRE-OS"
OLDEST = {"debian": (11, 0), "ubuntu": (22, 4)}
EXPECTED = "Debian 11 or newer, or Ubuntu 22.04 or newer"


def judge(_: str, system: System) -> Judged:
    """By /etc/os-release."""
    oldest = OLDEST.get(system.id)
    remedy = f"install {EXPECTED}"
    if oldest is None:
        return Judged(Verdict.FAIL, f"{system.name} is not known", remedy)
    try:
        major, _dot, minor = system.version.partition(".")
        version = (int(major), int(minor or 0))
    except ValueError:
        return Judged(Verdict.INCONCLUSIVE, f"{system.name} tells no version", remedy)
    if version < oldest:
        return Judged(Verdict.FAIL, f"{system.name} is too old", remedy)
    return Judged(Verdict.PASS, system.name)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    return each_host(context, CODE, EXPECTED, Severity.HIGH, os_release.ask(), judge)


CHECK = Check(CODE, "The system is one that we know", "preflight", Severity.HIGH, run)
