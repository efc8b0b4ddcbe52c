"""NET-01: what left the nodes over seven days went to declared companies and the site's own parts only.

Egress is sampled from connection tracking: a connection that began and ended between two samples is not seen.
An address is a declared company's by its networks, or because a declared host name had it on that node within
the window. That a name leads to an address does not show that it was the name that was asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from inventory.models.finding import Evidence, Finding, Grade, Severity
from inventory.models.observation import Observation
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import as_address, named, text_of

WINDOW = timedelta(days=7)
LONGEST_GAP = timedelta(hours=1)
_CONTROL = Control(
    "NET-01",
    Severity.CRITICAL,
    f"{WINDOW.days} days of egress, no gap above {LONGEST_GAP.seconds // 60} min, to declared places only",
)
_OBSERVE = "let a timer run: safe-harbor residency observe SITE, every few minutes for seven days"


def _run(context: Residency) -> Iterator[Finding]:
    for node in context.site.target.nodes:
        rows = [each for each in context.observations if each.node == node.name]
        yield from _judge(context, node.name, rows)


def _judge(context: Residency, node: str, rows: list[Observation]) -> Iterator[Finding]:
    since = context.clock.now() - WINDOW - LONGEST_GAP
    seen = [each for each in rows if each.egress is not None and each.at >= since]
    evidence = _evidence(context, node, seen)
    if not seen:
        unseen = next((each.unseen for each in reversed(rows) if each.unseen), "")
        said = "no egress was observed" + (f": {unseen}" if unseen else "")
        yield _CONTROL.finding(node, Verdict.NODATA, said, evidence, _OBSERVE)
        return
    names = _names(seen)
    destinations = {(each.address, each.protocol, each.port) for row in seen for each in row.egress or ()}
    last = {each.address: row.at for row in seen for each in row.egress or ()}  # the oldest come first
    bad = 0
    by_name: dict[str, str] = {}
    for address in sorted({address for address, _, _ in destinations}):
        verdict, said = whose(_as_of(context, last[address]), address)
        if verdict is Verdict.PASS:
            continue
        if company := next(filter(None, map(context.site.processing.owner_of, names[address])), None):
            by_name[address] = f"{', '.join(sorted(names[address]))}: {company.name}"
            continue
        bad += 1
        used = sorted(f"{protocol}/{port}" for at, protocol, port in destinations if at == address)
        said += f", reached by {named(used)}{_registrant(context, address)}"
        # The list of what may leave is the site file: what is not on it fails.
        yield _CONTROL.finding(f"{node}/{address}", Verdict.FAIL, said, evidence, UNKNOWN_REMEDY)
    if by_name:
        source = f"observations.jsonl: declared names as {node} resolved them"
        evidence = (*evidence, observed(context.clock, source, text_of(by_name)))
    yield _window(context, node, seen, len(destinations), len(by_name), bad, evidence)


def _as_of(context: Residency, at: datetime) -> Residency:
    """What was so when it was observed: until the source was left, it was as declared."""
    if context.source_left_at is None or at >= context.source_left_at:
        return context
    return replace(context, phase="before-cutover")


def _names(seen: list[Observation]) -> defaultdict[str, set[str]]:
    """Address -> the declared names that had it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in seen:
        for each in row.resolved:
            for address in each.addresses:
                found[address].add(each.name)
    return found


def _window(
    context: Residency,
    node: str,
    seen: list[Observation],
    destinations: int,
    by_name: int,
    bad: int,
    evidence: tuple[Evidence, ...],
) -> Finding:
    times = sorted(each.at for each in seen)
    span = times[-1] - times[0]
    # The time since the last sample is a gap, too.
    gap = max(
        later - earlier for earlier, later in zip(times, [*times[1:], context.clock.now()], strict=True)
    )
    said = (
        f"{len(seen)} samples over {span.total_seconds() / 86400:.1f} days, longest gap "
        f"{gap.total_seconds() / 60:.0f} min: {destinations} destinations, {by_name} addresses "
        f"known by a resolved name, {bad} undeclared"
    )
    whole = span >= WINDOW and gap <= LONGEST_GAP
    return _CONTROL.finding(node, Verdict.PASS if whole else Verdict.NODATA, said, evidence, _OBSERVE)


def _registrant(context: Residency, text: str) -> str:
    address: IPv4Address | None = as_address(text)
    if address is None or context.registrants is None:
        return ""
    country = context.registrants.country(address)
    return f" (registrant in {country})" if country else " (no registrant known)"


def _evidence(context: Residency, node: str, seen: list[Observation]) -> tuple[Evidence, ...]:
    raw = text_of([each.model_dump(mode="json") for each in seen])
    found = [observed(context.clock, f"observations.jsonl: egress of {node}", raw)]
    if seen and context.registrants is not None:
        table = context.registrants
        found.append(observed(context.clock, f"{table.name}, sha256 {table.digest}", table.digest, Grade.E3))
    return tuple(found)


CHECK = Check(
    "NET-01",
    "observed egress goes to declared places only",
    "residency",
    Severity.CRITICAL,
    _run,
)
