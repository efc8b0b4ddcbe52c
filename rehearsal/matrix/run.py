"""Runs every check once a fault, and many times on the healthy site, and notes what was found."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from rehearsal.matrix.fault import Fault, Where, struck
from rehearsal.matrix.result import HealthyRun, Row
from tasks.checks.context import DataPlane
from tasks.checks.registry import Check, causes, in_group, judge, judge_patiently
from tasks.drivers.errors import OutsideError

GROUP = "dataplane"
HEALS_WITHIN_S, LOOKS = 60.0, 3  # on an emulated machine one look takes longer
Told = Callable[[str, int, int], None]  # what is done, how many are, of how many


def where_of(context: DataPlane) -> Where:
    """The last node is struck: it is a worker wherever there is one."""
    return Where(context, context.site.target.nodes[-1])


def heal(faults: Sequence[Fault], where: Where) -> None:
    """Undo what a killed run may have left. Raises what the undoing commands raise."""
    for fault in faults:
        fault.undo(where)


def try_fault(fault: Fault, where: Where, told: Told = lambda *_: None) -> Row:
    """Create it, run every check, undo it, and wait until what failed passes again.

    Raises OutsideError where the site does not heal.
    """
    checks = in_group(GROUP)
    done = itertools.count(1)
    with struck(fault, where):
        told(f"{fault.name}: every check", 0, 0)
        started = time.monotonic()
        found = judge(
            checks, where.context, lambda each: told(f"{fault.name}: {each.title}", next(done), len(checks))
        )
        seconds = time.monotonic() - started
    told(f"{fault.name}: until the site is well again", 0, 0)
    ended = time.monotonic()
    _await_well([c for c in checks if c.code in _refused(found)], where)
    return Row(
        fault=fault.name,
        what=fault.what,
        primary=fault.primary,
        named=sorted(causes(found)),
        failed=sorted({each.code for each in found if each.verdict is Verdict.FAIL}),
        unseen=sorted(_refused(found) - {each.code for each in found if each.verdict is Verdict.FAIL}),
        observed=_observed(fault, where, found),
        seconds=round(seconds, 1),
        healed_s=round(time.monotonic() - ended, 1),
    )


def healthy_runs(context: DataPlane, count: int) -> Iterator[HealthyRun]:
    """Every check on the untouched site, `count` times, as `network` proves it."""
    for _ in range(count):
        started = time.monotonic()
        found = judge_patiently(in_group(GROUP), context)
        alarms = [f"{f.code} {f.subject}: {f.observed}" for f in found if not f.verdict.lets_go_on]
        yield HealthyRun(
            findings=len(found),
            warnings=sorted({f.code for f in found if f.verdict is Verdict.WARN}),
            alarms=alarms,
            seconds=round(time.monotonic() - started, 1),
        )


def _refused(found: Sequence[Finding]) -> set[str]:
    return {each.code for each in found if not each.verdict.lets_go_on}


def _observed(fault: Fault, where: Where, found: Sequence[Finding]) -> str:
    """What the fault's own check said, of the struck node where it failed there."""
    mine = [f for f in found if f.code == fault.primary and f.verdict is Verdict.FAIL]
    mine.sort(key=lambda f: f.subject != where.node.name)
    return f"{mine[0].subject}: {mine[0].observed}" if mine else ""


def _await_well(checks: Sequence[Check], where: Where) -> None:
    """Look again at what was refused until it passes. Raises OutsideError where that takes too long."""
    began, looks = time.monotonic(), 0
    while checks:
        refused = _refused(judge(checks, where.context))
        checks = [check for check in checks if check.code in refused]
        looks += 1
        seconds = time.monotonic() - began
        if checks and looks >= LOOKS and seconds > HEALS_WITHIN_S:
            codes = ", ".join(sorted(refused))
            raise OutsideError(
                where.node.name,
                f"the fault was undone {seconds:.0f} s ago, and {codes} do not pass yet",
                "safe-harbor rehearse down",
            )
