"""EXIT-01: nothing of the exit is left at AWS, and a person states that it was erased.

Before `finalize` the source still holds it, as declared. After it, what is stopped and not erased is not yet
shown to be gone; a statement of erasure that the survey contradicts is a failure. What the survey lists is
INV-01's to say: of services without a surveyor of their own, what is tagged.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.diff import compare
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.inv_01 import BEYOND
from tasks.checks.residency.observation import named, of_survey

_CONTROL = Control(
    "EXIT-01", Severity.CRITICAL, "zero residual resources at AWS, and a statement of their erasure"
)
_ERASE = "erase it at AWS, then: safe-harbor survey"


def _run(context: Residency) -> Iterator[Finding]:
    survey = context.survey
    left = [each for each in compare(context.site, survey).exit if each.service != "kubernetes"]
    blind = [row for row in survey.coverage if row.service != "kubernetes" and not row.status.complete]
    seen = (of_survey(survey, "resources", left), of_survey(survey, "coverage", survey.coverage))
    names = named([f"{each.kind} {each.name or each.id}" for each in left])
    if context.phase == "before-cutover":
        said = f"{len(left)} resources at AWS, which is due only after finalize: {names}"
        yield _CONTROL.finding("aws", Verdict.WARN, said, seen, "goes away by finalize and the erasure")
        return
    stated = _CONTROL.stated(context, "erasure", ("erased_on",), documents=1)
    claimed = stated.verdict is Verdict.PASS
    evidence = (*seen, *stated.evidence)
    if left:
        said = f"{len(left)} resources are still at AWS: {names}"
        said += f"; {stated.observed}" if claimed else "; no erasure is stated"
        verdict = Verdict.FAIL if claimed else Verdict.NODATA
        yield _CONTROL.finding("aws", verdict, said, evidence, _ERASE)
    elif blind or not survey.coverage:
        said = f"{len(blind)} enumerations are not complete"
        yield _CONTROL.finding(
            "aws", Verdict.NODATA, said, evidence, "give the rights, then: safe-harbor survey"
        )
    else:
        said = f"{len(survey.coverage)} enumerations find nothing of the exit ({BEYOND}); {stated.observed}"
        yield _CONTROL.finding("aws", stated.verdict, said, evidence, stated.remedy)


CHECK = Check(
    "EXIT-01",
    "nothing of the exit is left at AWS, and its erasure is stated",
    "residency",
    Severity.CRITICAL,
    _run,
)
