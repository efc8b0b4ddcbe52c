"""PRE-REACH: every node's declared address answers to every other node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_asked
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import reach

CODE = "PRE-REACH"
EXPECTED = "every other node answers on the SSH port of its declared address"
SSH_PORT = 22


def judge(names: Mapping[str, str], found: dict[str, bool]) -> Judged:
    """What one host reaches; `names` maps addresses to nodes."""
    silent = [f"{names[address]} ({address})" for address, answered in found.items() if not answered]
    if silent:
        return Judged(
            Verdict.FAIL,
            f"no answer from {', '.join(silent)}",
            "correct the addresses in the site file, or the firewall and routes between the nodes",
        )
    return Judged(Verdict.PASS, f"{len(found)} other nodes answer")


def run(context: Admission) -> Iterable[Finding]:
    """Let every host ask all the others."""
    nodes = context.site.target.nodes
    names = {str(node.address): node.name for node in nodes}
    port = getattr(getattr(context.site.target, "ssh", None), "port", SSH_PORT)
    questions = {
        name: reach.ask(port, [address for address, other in names.items() if other != name])
        for name in context.hosts
    }
    return each_asked(context, CODE, EXPECTED, Severity.HIGH, questions, lambda _, found: judge(names, found))


CHECK = Check(CODE, "The nodes reach each other", "preflight", Severity.HIGH, run)
