"""TUN-IRQ: the interrupts of the underlay's card do not all fall on one processor of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.admission.looking import Judged, finding, gathered
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import interrupts, memory, units
from tasks.facts.interrupts import Interrupt

CODE = "TUN-IRQ"
_BALANCER = "irqbalance.service"
_EXPECTED = "interrupts of the underlay's card on more than one processor, where it has several queues"


def judge(found: Sequence[Interrupt], processors: int, *, balanced: bool) -> Judged:
    """Only interrupts that have come are counted: a card has some for events that hardly ever happen."""
    busy = [each for each in found if each.count]
    places = sorted({each.processors for each in busy})
    said = (
        printable(", ".join(f"{each.name} on {each.processors}" for each in busy), 600) or "none of its own"
    )
    if len(busy) > 1 and processors > 1 and len(places) == 1 and places[0].isdecimal():
        if balanced:
            return Judged(Verdict.PASS, f"{said}; irqbalance runs and moves them under load")
        remedy = (
            "name irq-affinity (exact: spread) among the links of the profile and run prepare, or "
            "apt-get install irqbalance"
        )
        return Judged(Verdict.WARN, f"all on processor {places[0]} of {processors}: {said}", remedy)
    return Judged(Verdict.PASS, said)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    machine, balancer = memory.ask(), units.ask((_BALANCER,))
    links = {node.name: interrupts.ask(node.interface) for node in context.site.target.nodes}
    asked = {name: (links[name], machine, balancer) for name in context.hosts if name in links}
    for name, facts in gathered(context, asked).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            balanced = facts.of(balancer)[_BALANCER].running
            said = judge(facts.of(links[name]), facts.of(machine).processors, balanced=balanced)
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.MEDIUM, error)
            continue
        yield finding(context, CODE, name, _EXPECTED, Severity.MEDIUM, said, links[name], facts)


CHECK = Check(CODE, "Interrupts are spread", "settings", Severity.MEDIUM, run)
