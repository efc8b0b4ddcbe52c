"""AUD-01: the audit trail itself is stored, witnessed and time-stamped in the EEA, as stated.

The ledger is examined, and the checkpoints that witnesses handed over are held against it. It carries no
time-stamps of an authority: what dates it beside its own clock is the time of a witness's cosignature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from inventory.eea import outside
from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged
from tasks.checks.residency.observation import named, text_of

_CONTROL = Control("AUD-01", Severity.HIGH, "storage, witness and time-stamping of the trail are in the EEA")
_WITNESS = "safe-harbor audit witness LEDGER KEY; its checkpoint goes into processing.checkpoints"
_FACTS = ("storage", "storage_country", "witness", "witness_country", "timestamps")


def _run(context: Residency) -> Iterator[Finding]:
    state = str(context.site.state)
    stated = _CONTROL.stated(context, "trail", _FACTS, _judge)
    here = observed(context.clock, "site file: state", state)
    said = f"the trail lies in {state} of the machine that runs the exit; {stated.observed}"
    yield stated.model_copy(update={"observed": said, "evidence": (here, *stated.evidence)})
    yield from _examined(context)


def _examined(context: Residency) -> Iterator[Finding]:
    trail = context.trail
    if trail is None:
        yield _CONTROL.finding("ledger", Verdict.NODATA, "no ledger was looked at", (), "judge with a stage")
        return
    raw = text_of(asdict(trail))
    evidence = (observed(context.clock, f"safe-harbor audit verify {trail.path}", raw, Grade.E1),)
    if trail.problems:
        said = f"{len(trail.problems)} problems: {named(trail.problems)}"
        yield _CONTROL.finding("ledger", Verdict.FAIL, said, evidence, "see runbooks/audit.md, exit 4")
        return
    said = f"{trail.entries} entries, {trail.checkpoints} checkpoints, root {trail.root[:16]}: verified"
    yield _CONTROL.finding("ledger", Verdict.PASS, said, evidence)
    last = max(trail.cosigned, key=lambda each: (each.entries, each.at), default=None)
    if last is None:
        said = "no witness's checkpoint was shown, and it has no time-stamps: its own clock alone dates it"
        yield _CONTROL.finding("witness", Verdict.NODATA, said, evidence, _WITNESS)
        return
    said = f"{last.witness} cosigned {last.entries} of {trail.entries} entries at {last.at.isoformat()}"
    said += " by the witness's clock; there is no time-stamp of an authority"
    yield _CONTROL.finding("witness", Verdict.PASS, said, evidence)


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
