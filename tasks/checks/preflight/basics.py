"""The answers that several preflight checks share, and the way to judge them on every host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inventory.models.finding import Finding, Severity
from tasks.checks.admission.looking import Judged, each_asked
from tasks.checks.context import Admission
from tasks.facts import host_basics
from tasks.facts.host_basics import Basics

# kubeadm's preflight: without these it stops. All but mount and nsenter come with what `prepare` installs.
OWN_PROGRAMS = ("mount", "nsenter")
INSTALLED_PROGRAMS = ("ip", "iptables")
_PROGRAMS = (*OWN_PROGRAMS, *INSTALLED_PROGRAMS, "apt-get")


def each_host(
    context: Admission, code: str, expected: str, severity: Severity, judge: Callable[[str, Basics], Judged]
) -> Iterator[Finding]:
    """One finding a host, each asked under its own name."""
    questions = {name: host_basics.ask(name, _PROGRAMS) for name in context.hosts}
    return each_asked(context, code, expected, severity, questions, judge)
