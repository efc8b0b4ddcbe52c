"""ADM-DAD: nobody else on the wire claims a host's address, declared or not.

Two machines with one address take turns at getting its packets: connections break now and then, to nobody in
particular. ADM-UNIQUE compares the declared hosts; this asks the wire, where undeclared ones are, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_asked
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import address_claims
from tasks.facts.address_claims import Claims

CODE = "ADM-DAD"
_EXPECTED = "no other machine on the wire answers for the host's address"


def judge(address: str, interface: str, found: Claims) -> Judged:
    """What could not be asked is a warning: it says nothing against the host."""
    by_hand = f"on another machine of that network: arping -D -c 2 -I INTERFACE {address}"
    if found.unasked:
        return Judged(Verdict.WARN, f"not asked on {interface}: {found.unasked}", by_hand)
    if found.others:
        remedy = (
            "find the machine by its hardware address (the switch's table, `virsh domiflist`), and give it "
            "or this host another address; a router that answers for others has proxy ARP on"
        )
        return Judged(Verdict.FAIL, f"{address} is also claimed by {', '.join(found.others)}", remedy)
    return Judged(Verdict.PASS, f"nobody else on {interface} answers for {address}")


def run(context: Admission) -> Iterable[Finding]:
    """Ask from every host for its own address."""
    places: Mapping[str, tuple[str, str]] = {
        node.name: (node.interface, str(node.address)) for node in context.site.target.nodes
    }
    asked = {name: address_claims.ask(*place) for name, place in places.items()}

    def by_node(name: str, found: Claims) -> Judged:
        interface, address = places[name]
        return judge(address, interface, found)

    return each_asked(context, CODE, _EXPECTED, Severity.HIGH, asked, by_node)


CHECK = Check(CODE, "Nobody else has the address", "admission", Severity.HIGH, run)
