"""AUD-01: the audit trail itself is stored, witnessed and time-stamped in the EEA, as stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.eea import outside
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged

_CONTROL = Control("AUD-01", Severity.HIGH, "storage, witness and time-stamping of the trail are in the EEA")
_FACTS = ("storage", "storage_country", "witness", "witness_country", "timestamps")


def _run(context: Residency) -> Iterator[Finding]:
    state = str(context.site.state)
    stated = _CONTROL.stated(context, "trail", _FACTS, _judge)
    here = observed(context.clock, "site file: state", state)
    said = f"the trail lies in {state} of the machine that runs the exit; {stated.observed}"
    yield stated.model_copy(update={"observed": said, "evidence": (here, *stated.evidence)})


def _judge(facts: Mapping[str, str]) -> Judged:
    countries = (facts["storage_country"], facts["witness_country"])
    said = f"stored at {facts['storage']} ({countries[0]}), witnessed by {facts['witness']} ({countries[1]})"
    said += f", time-stamps: {facts['timestamps']}"
    return (Verdict.FAIL if outside(*countries) else Verdict.PASS), said


CHECK = Check(
    "AUD-01",
    "the trail's own storage, witness and time-stamping are in the EEA",
    "residency",
    Severity.HIGH,
    _run,
)
