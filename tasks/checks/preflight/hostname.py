"""PRE-HOSTNAME: the host's name is one that a node may have, and the host itself resolves it.

kubeadm warns where a node does not find its own name, and so does this; the form is Kubernetes' (RFC 1123).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.admission.looking import Judged
from tasks.checks.context import Admission
from tasks.checks.preflight.basics import each_host
from tasks.checks.registry import Check
from tasks.facts.host_basics import Basics

CODE = "PRE-HOSTNAME"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def judge(name: str, address: str, found: Basics) -> Judged:
    """By the kernel's name for the host, and what the host finds for its declared name."""
    if not _NAME.fullmatch(found.hostname):
        return Judged(
            Verdict.FAIL,
            f"the host calls itself {printable(found.hostname, 80)!r}",
            f"hostnamectl set-hostname {name}",
        )
    if not found.resolved:
        return Judged(
            Verdict.WARN,
            f"{name} is not found on the host itself",
            f"add there to /etc/hosts: {address} {name}",
        )
    others = [each for each in found.resolved if each not in (address, "127.0.1.1", "127.0.0.1")]
    if others:
        return Judged(
            Verdict.FAIL,
            f"{name} is {printable(', '.join(found.resolved), 80)} on the host, declared is {address}",
            "correct /etc/hosts or the name server, or the site file",
        )
    return Judged(Verdict.PASS, f"{found.hostname}; {name} is {', '.join(found.resolved)}")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    addresses = {node.name: str(node.address) for node in context.site.target.nodes}
    return each_host(
        context,
        CODE,
        "a name of RFC 1123 in small letters, which the host itself resolves to its address",
        Severity.HIGH,
        lambda name, found: judge(name, addresses[name], found),
    )


CHECK = Check(CODE, "The host's name is usable", "preflight", Severity.HIGH, run)
