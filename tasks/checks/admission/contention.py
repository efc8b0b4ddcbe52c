"""ADM-NOISE: no neighbour makes short work wait for a processor (the source article, point 7).

Steal is what a hypervisor admits to have taken; this is what a request feels of it, and of a neighbour in a
shared kernel, who steals nothing and takes the processor all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, answers, finding
from tasks.checks.context import Admission
from tasks.checks.registry import PROCESSORS, Check
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts import contention, virtualization

CODE = "ADM-NOISE"
NEIGHBOURS = 0.10  # of all processors: less is a machine's own housekeeping
_EXPECTED = "one burst of work in a hundred, at most, waits for as long as it takes"


def judge(found: contention.Contention, container_signs: tuple[str, ...] = ()) -> Judged:
    """A burst whose 99th percentile is twice its own length: one request in a hundred takes double the time.

    A container feels its neighbours in the shared kernel: a warning there, as ADM-VIRT refuses the container.
    """
    wait_ms = found.wait_ms(99)
    said = (
        f"a burst of {found.burst_ms:.1f} ms waits p50 {found.wait_ms(50):.1f} ms, p99 {wait_ms:.1f} ms, "
        f"at most {found.waits_ms[-1]:.1f} ms; processors {found.busy:.0%} busy over {found.seconds:.1f} s"
    )
    if found.waiting is not None:
        said += f", {found.waiting:.0%} of the time some task waited (PSI)"
    others = found.others
    if others is not None:
        said += f"; this host itself uses {found.own:.0%}"
    if wait_ms < found.burst_ms:
        return Judged(Verdict.PASS, said)
    if others is not None and others >= NEIGHBOURS:
        said = f"a noisy neighbour uses {others:.0%} of the processors: {said}"
    if container_signs:
        remedy = "order a KVM server with processors of its own; see ADM-VIRT"
        return Judged(Verdict.WARN, f"{said} ({container_signs[0]})", remedy)
    remedy = (
        "see ADM-STEAL: with steal, ask the provider for pinned processors; without, it is this host's own "
        "load (top -b -n 1), so give it more processors"
    )
    return Judged(Verdict.FAIL, said, remedy)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host, all over the same time."""
    asked, signs = contention.ask(), virtualization.ask()
    for name, facts in answers(context, (asked, signs)).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            said = judge(facts.of(asked), facts.of(signs).container_signs)
        except OutsideError as error:
            yield unseen(CODE, name, _EXPECTED, Severity.HIGH, error)
            continue
        yield finding(context, CODE, name, _EXPECTED, Severity.HIGH, said, asked, facts)


CHECK = Check(CODE, "No neighbour takes the processors", "admission", Severity.HIGH, run, alone=PROCESSORS)
