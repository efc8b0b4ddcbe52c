"""ADM-PMTU: between the hosts, a packet of the interface's MTU passes in one piece.

A switch or tunnel with a smaller MTU shows itself as stalls of large answers only, once a cluster is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_asked, named
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import path_mtu

CODE = "ADM-PMTU"
_EXPECTED = "a packet of the underlay's MTU that may not be cut passes to every other host"


def judge(names: Mapping[str, str], found: Mapping[str, path_mtu.Path] | None) -> Judged:
    """`names` maps every other host's address to its name."""
    if not names:
        return Judged(Verdict.PASS, "the only host: there is no path")
    if found is None:
        return Judged(Verdict.NODATA, "the host has no ping", "run on the host: apt-get install iputils-ping")
    cut = sorted(names[peer] for peer, path in found.items() if path.small and not path.full)
    silent = sorted(names[peer] for peer, path in found.items() if not path.small and not path.full)
    if cut:
        remedy = (
            "find the smaller MTU on the way (tracepath ADDRESS), give all hosts and switches the same, or "
            "lower the MTU of the underlay's interfaces to it"
        )
        mtu = max(path.mtu for path in found.values())
        return Judged(Verdict.FAIL, f"{mtu} bytes do not pass to {named(cut)}", remedy)
    if silent:
        remedy = "let ICMP through between the hosts (path MTU discovery needs it), and see PATH-NODES"
        return Judged(Verdict.INCONCLUSIVE, f"no answer to any ping from {named(silent)}", remedy)
    mtu = min(path.mtu for path in found.values())
    return Judged(Verdict.PASS, f"{mtu} bytes pass to {len(found)} hosts")


def run(context: Admission) -> Iterable[Finding]:
    """Ask every host for its ways to all the others."""
    nodes = context.site.target.nodes
    names = {
        node.name: {str(other.address): other.name for other in nodes if other.name != node.name}
        for node in nodes
    }
    asked = {node.name: path_mtu.ask(node.interface, tuple(names[node.name])) for node in nodes}
    return each_asked(
        context, CODE, _EXPECTED, Severity.HIGH, asked, lambda name, found: judge(names[name], found)
    )


CHECK = Check(CODE, "The path between hosts carries their MTU", "admission", Severity.HIGH, run)
