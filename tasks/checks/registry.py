"""Finds the checks: every module of this package and its folders that defines `CHECK`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import tasks.checks
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.drivers.errors import OutsideError, Unasked
from tasks.registered import modules_with

PROCESSORS, ROUND_TRIP = "processors", "round trip"
log = logging.getLogger(__name__)


class Layer(IntEnum):
    """How near to a cause a check looks: of those that fail together, the lowest layer names the cause."""

    SETTING = 0  # a value that somebody set or declared
    STATE = 1  # what kernel and daemons made of it: links, routes, rules
    COUNTER = 2  # what the kernel counts as refused while packets pass
    NODES = 3  # the path between nodes
    PODS = 4  # the path between pods
    USE = 5  # what goes over these paths: Services, sizes, bulk, names
    LOG = 6  # what the kernel once said of any of these, since its boot


@dataclass(frozen=True)
class Check:
    """A check: its stable code, what it is about, its group and what it runs.

    `group` names the context that `run` takes (see `tasks.checks.context`): `admission`, `cluster`,
    `controlplane`, `dataplane`, `workload` or `residency`; `preflight` and `settings` take the context of
    `admission`. `writes` says what it writes on its subject for as long as it runs, and is empty for one that
    only reads. `alone` names what it measures the time of, so that nothing else is asked meanwhile; checks
    that name the same (`PROCESSORS`, `ROUND_TRIP`) go at once, and share what they ask.
    """

    code: str
    title: str
    group: str
    severity: Severity
    run: Callable[[Any], Iterable[Finding]]
    writes: str = ""
    alone: str = ""
    layer: Layer = Layer.STATE


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, by code. Raises ValueError where two have the same code."""
    found: dict[str, Check] = {}
    for module in modules_with(tasks.checks, "CHECK"):
        check: Check = module.CHECK
        if check.code in found:
            raise ValueError(f"two checks have the code {check.code}")
        found[check.code] = check
    return tuple(found[code] for code in sorted(found))


def in_group(group: str) -> tuple[Check, ...]:
    """The checks of a group. Raises KeyError, naming the known groups, where there is none."""
    checks = tuple(check for check in all_checks() if check.group == group)
    if not checks:
        known = sorted({check.group for check in all_checks()})
        raise KeyError(f"no check is in the group {group!r}; known: {', '.join(known)}")
    return checks


def causes(findings: Iterable[Finding]) -> frozenset[str]:
    """The codes that name the cause: of the checks that failed, those of the lowest layer.

    A code that no check has (a step's own) counts as a state.
    """
    layers = {check.code: check.layer for check in all_checks()}
    failed = {finding.code for finding in findings if finding.verdict is Verdict.FAIL}
    lowest = min((layers.get(code, Layer.STATE) for code in failed), default=None)
    return frozenset(code for code in failed if layers.get(code, Layer.STATE) is lowest)


def judge(
    checks: Sequence[Check], context: object, on_done: Callable[[Check], None] = lambda _: None
) -> list[Finding]:
    """Run them all; one that cannot observe is an `error` finding, one that finds nothing is `nodata`."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += observe(check, context)
        except Unasked as error:
            findings.append(_blind(check, error))
        on_done(check)
    return findings


def judge_patiently(
    checks: Sequence[Check], context: object, on_done: Callable[[Check], None] = lambda _: None
) -> list[Finding]:
    """Like `judge`; those that could not observe are asked once more at the end, and that answer counts.

    A time-out says that a node was busy, which may be over; a failure was observed, and stands.
    """
    findings = judge(checks, context, on_done)
    blind = {each.code for each in findings if each.verdict is Verdict.ERROR}
    again = judge([check for check in checks if check.code in blind], context, on_done)
    return [each for each in findings if each.code not in blind] + again


def observe(check: Check, context: object) -> list[Finding]:
    """Run one, as `judge` does. Raises Unasked where it needs a probe pod and there is none."""
    try:
        found = list(check.run(context))
    except Unasked:
        raise
    except OutsideError as error:
        return [_blind(check, error)]
    return found or [_broken(check, Verdict.NODATA, "site", "nothing was observed", "")]


def _blind(check: Check, error: OutsideError) -> Finding:
    log.warning("%s could not observe: %s", check.code, error)
    return _broken(check, Verdict.ERROR, error.part, str(error), error.remedy)


def _broken(check: Check, verdict: Verdict, subject: str, observed: str, remedy: str) -> Finding:
    return Finding(
        code=check.code,
        subject=subject,
        verdict=verdict,
        observed=observed,
        expected=check.title,
        remedy=remedy or "make the subject reachable and run the check again",
        severity=check.severity,
    )
