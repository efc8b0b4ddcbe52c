"""The answers that several preflight checks share, and the way to judge them on every host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inventory.models.finding import Finding, Severity
from tasks.checks.admission.looking import Judged, finding, unseen
from tasks.checks.asking import ask_hosts
from tasks.checks.context import Admission
from tasks.drivers.errors import OutsideError
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
    for name, facts in ask_hosts(context.hosts, {name: (each,) for name, each in questions.items()}).items():
        asked = questions[name]
        try:
            if isinstance(facts, OutsideError):
                raise facts
            said = judge(name, facts.of(asked))
        except OutsideError as error:
            yield unseen(code, name, expected, severity, error)
            continue
        yield finding(context, code, name, expected, severity, said, asked, facts)
