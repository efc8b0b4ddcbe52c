"""ADM-MTU: the underlay carries the same packets on every host, with room for the overlay's header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import interfaces

CODE = "ADM-MTU"
OVERHEAD = 50  # of VXLAN over IPv4 (reference of the data plane)
LEAST = 1280 + OVERHEAD  # IPv6's minimum shall still fit inside


def judge(name: str, mtus: dict[str, int]) -> Judged:
    """This host against the others: the most frequent MTU is the network's."""
    mine = mtus[name]
    usual = Counter(mtus.values()).most_common(1)[0][0]
    if mine < LEAST:
        return Judged(Verdict.FAIL, f"MTU {mine} is below {LEAST}", "raise the MTU of the underlay interface")
    if mine != usual:
        others = ", ".join(f"{other} {mtu}" for other, mtu in sorted(mtus.items()) if other != name)
        return Judged(Verdict.FAIL, f"MTU {mine}, others have {others}", "give all nodes the same MTU")
    return Judged(Verdict.PASS, f"MTU {mine}, {mine - OVERHEAD} inside the overlay")


def run(context: Admission) -> Iterable[Finding]:
    """Compare all the hosts that answer."""
    asked = interfaces.ask()
    expected = f"the same MTU everywhere, at least {LEAST}"
    mtus, told = {}, {}
    nodes = {node.name: node for node in context.site.target.nodes}
    for name, facts in answers(context, (asked,)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            found = facts.of(asked).get(nodes[name].interface)
            if found is None:
                raise OutsideError(
                    name, f"there is no interface {nodes[name].interface}", "correct the site file"
                )
            mtus[name], told[name] = found.mtu, facts
        except OutsideError as error:
            yield unseen(CODE, name, expected, Severity.HIGH, error)
    for name, facts in told.items():
        said = judge(name, mtus)
        yield finding(context, CODE, name, expected, Severity.HIGH, said, asked, facts)


CHECK = Check(CODE, "The underlay's MTU is the same everywhere", "admission", Severity.HIGH, run)
