"""LOC-01: the nodes' place, bounded by the speed of light from two known vantages or more.

The measured echo passes through the node's SSH session, whose keys the node's pinned host key has signed: the
answer is the node's own, not a nearer relay's.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Evidence, Finding, Grade, Severity
from inventory.models.observation import Observation
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.lightspeed import OUTSIDE_EEA, bound_km, excluded
from tasks.checks.residency.observation import text_of

AT_LEAST_VANTAGES = 2
_CONTROL = Control(
    "LOC-01",
    Severity.CRITICAL,
    f"a round trip that excludes {OUTSIDE_EEA}, and measurements from {AT_LEAST_VANTAGES} known vantages",
)
_REMEDY = (
    "measure from the vantages of processing.vantages: safe-harbor residency observe SITE --vantage NAME"
)


def _run(context: Residency) -> Iterator[Finding]:
    for node in context.site.target.nodes:
        yield _judge(context, node.name)


def _judge(context: Residency, node: str) -> Finding:
    known = {each.name: each for each in context.site.processing.vantages}
    rows = [
        each
        for each in context.observations
        if each.node == node and each.round_trip_ms is not None and each.vantage in known
    ]
    least: dict[str, float] = {}
    for each in rows:
        assert each.round_trip_ms is not None  # noqa: S101 - the rows are chosen by it
        least[each.vantage] = min(least.get(each.vantage, each.round_trip_ms), each.round_trip_ms)
    evidence = (_evidence(context, node, rows),)
    if not least:
        return _CONTROL.finding(node, Verdict.NODATA, "no round trip was measured", evidence, _REMEDY)
    said = "; ".join(
        f"{least[name]:.3f} ms from {name}: not farther than {bound_km(least[name]):.0f} km"
        for name in sorted(least)
    )
    out = sorted({each for name, ms in least.items() for each in excluded(known[name], ms)})
    said += f"; cannot be in {', '.join(out)}" if out else "; excludes nothing"
    if len(least) < AT_LEAST_VANTAGES:
        said += f"; {len(least)} vantage of {AT_LEAST_VANTAGES}"
        return _CONTROL.finding(node, Verdict.NODATA, said, evidence, _REMEDY)
    if OUTSIDE_EEA not in out:
        return _CONTROL.finding(node, Verdict.NODATA, said, evidence, "measure from a nearer vantage")
    return _CONTROL.finding(node, Verdict.PASS, said, evidence)


def _evidence(context: Residency, node: str, rows: list[Observation]) -> Evidence:
    raw = text_of([each.model_dump(mode="json", exclude={"egress"}) for each in rows])
    return observed(context.clock, f"observations.jsonl: echoes of {node} over SSH", raw, Grade.E1)


CHECK = Check(
    "LOC-01",
    "the nodes' place is bounded by the speed of light from known vantages",
    "residency",
    Severity.CRITICAL,
    _run,
)
