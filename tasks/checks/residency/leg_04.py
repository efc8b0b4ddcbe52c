"""LEG-04: the record of processing that a person signed is the one that the inventory gives now.

Where it is not, the fields that changed are named, as far as the signed record was kept by
`safe-harbor residency record`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.record import record_digest, record_of
from inventory.record_diff import record_changes
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged
from tasks.checks.residency.observation import of_survey

_CONTROL = Control(
    "LEG-04", Severity.HIGH, "the signed record of processing is what declaration and survey give"
)


def _run(context: Residency) -> Iterator[Finding]:
    record = record_of(context.site, context.survey)
    digest = record_digest(record)

    def judge(facts: Mapping[str, str]) -> Judged:
        if facts["record_sha256"] != digest:
            said = f"record {facts['record_sha256'][:16]}; now it is {digest[:16]}"
            signed = context.records.get(facts["record_sha256"])
            if signed is None:
                return Verdict.FAIL, f"{said}; what changed cannot be said: the signed one was not kept"
            return Verdict.FAIL, f"{said}: {'; '.join(record_changes(signed, record))}"
        return Verdict.PASS, f"record {digest[:16]}, as it is now"

    stated = _CONTROL.stated(context, "record", ("record_sha256",), judge)
    generated = observed(context.clock, "safe-harbor residency record", digest)
    evidence = (generated, of_survey(context.survey, "resources", context.survey.resources), *stated.evidence)
    absent = record["not_declared"]
    if absent and stated.verdict is Verdict.PASS:
        said = f"{stated.observed}; the site file does not declare {', '.join(absent)}"
        remedy = "declare them under processing, and have the record signed anew"
        yield _CONTROL.finding("record", Verdict.NODATA, said, evidence, remedy)
        return
    remedy = "read it (safe-harbor residency record SITE), and have its digest stated"
    yield stated.model_copy(
        update={"evidence": evidence, "remedy": "" if stated.verdict is Verdict.PASS else remedy}
    )


CHECK = Check(
    "LEG-04", "the record of processing is generated, signed and current", "residency", Severity.HIGH, _run
)
