"""What of the exit still lies at AWS: allowed and shown before the cutover, a warning after `finalize`.

`finalize` stops the source and deletes nothing, so what is left is stopped copies; that nothing is left is
the erasure's to prove (EXIT-01), not this check's.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.diff import compare
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.residency.observation import named, of_survey


def source_left(
    context: Residency, code: str, service: str, severity: Severity = Severity.CRITICAL
) -> Iterator[Finding]:
    """One finding on what one service still holds; `nodata` where the service was not seen whole."""
    survey = context.survey
    rows = [row for row in survey.coverage if row.service == service]
    subject = f"aws/{service}"
    before = context.phase == "before-cutover"
    expected = "known, and stopped by finalize" if before else "nothing of the exit is left"
    blind = [row for row in rows if not row.status.complete]
    if not rows or blind:
        where = named(sorted({row.region for row in blind})) or "every region"
        yield Finding(
            code=code,
            subject=subject,
            verdict=Verdict.NODATA,
            observed=f"{service} was not seen whole: {where}",
            expected=expected,
            evidence=(of_survey(survey, "coverage", blind),),
            remedy="give the rights or end the cause, then: safe-harbor survey",
            severity=severity,
        )
        return
    left = [each for each in compare(context.site, survey).exit if each.service == service]
    stopped = "" if before else ", stopped and not erased"
    names = named([f"{each.kind} {each.name or each.id}" for each in left])
    yield Finding(
        code=code,
        subject=subject,
        verdict=Verdict.PASS if before or not left else Verdict.WARN,
        observed=f"{len(left)} still at AWS{stopped}: {names}" if left else "nothing of the exit is at AWS",
        expected=expected,
        evidence=(of_survey(survey, "resources", left or []), of_survey(survey, "coverage", rows)),
        remedy="delete it after its copy is proved, then: safe-harbor survey" if left and not before else "",
        severity=severity,
    )
