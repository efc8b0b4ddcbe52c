"""INV-01: what the account has is enumerated in every enabled region, and declared agrees with found.

Services with a surveyor of their own are listed whole. Of all others the tagging API lists what carries a tag
or once did: what was never tagged there is not seen, and the finding says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inventory.diff import Difference, compare
from inventory.models.finding import Finding, Severity
from inventory.models.resource import Coverage, Resource, Survey
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.checks.context import Phase, Residency
from tasks.checks.registry import Check
from tasks.checks.residency.observation import named, of_survey

# The surveyors of tasks/survey/, by their scope; a survey without one of them is not whole.
REGIONAL = (
    *(
        "dynamodb",
        "ebs",
        "ec2",
        "ecr",
        "efs",
        "elbv2",
        "kms",
        "lambda",
        "logs",
        "rds",
        "secretsmanager",
        "sqs",
    ),
    "tagging",
)
GLOBAL = ("cloudfront", "route53", "s3")
WHOLE = tuple(sorted({*REGIONAL, *GLOBAL} - {"tagging"}))
BEYOND = "of other services only what is or was tagged is listed"
_TITLE = f"{len(WHOLE)} services, and what is tagged of any other, in every enabled region, are as declared"


def judge_survey(site: Site, survey: Survey, phase: Phase = "before-cutover") -> Iterator[Finding]:
    """The check on a survey alone, for the survey's own stage."""
    yield from _coverage(site, survey)
    yield from _declared(survey, compare(site, survey), phase)


def _run(context: Residency) -> Iterator[Finding]:
    return judge_survey(context.site, context.survey, context.phase)


def _finding(subject: str, verdict: Verdict, observed: str, expected: str, remedy: str = "") -> Finding:
    return Finding(
        code="INV-01",
        subject=subject,
        verdict=verdict,
        observed=observed,
        expected=expected,
        remedy=remedy,
        severity=Severity.CRITICAL,
    )


def _coverage(site: Site, survey: Survey) -> Iterator[Finding]:
    expected = "every operation of every service ended ok or empty, in every enabled region"
    incomplete: dict[tuple[str, str], list[Coverage]] = defaultdict(list)
    for row in survey.coverage:
        if not row.status.complete:
            incomplete[row.service, row.region].append(row)
    for (service, region), rows in sorted(incomplete.items()):
        said = "; ".join(f"{row.operation} {row.status}: {row.message or 'no message'}" for row in rows[:3])
        remedy = "give the rights or end the cause, then: safe-harbor survey"
        finding = _finding(f"{service}/{region}", Verdict.NODATA, said, expected, remedy)
        yield finding.model_copy(update={"evidence": (of_survey(survey, "coverage", rows),)})
    absent = _never_asked(site, survey)
    for what in absent:
        yield _finding(what, Verdict.NODATA, "was not enumerated at all", expected, "safe-harbor survey")
    if not incomplete and not absent:
        regions = {row.region for row in survey.coverage if row.service in REGIONAL}
        said = (
            f"{len(survey.coverage)} enumerations complete, {len(survey.resources)} resources, "
            f"{len(regions)} regions; listed whole: {', '.join(WHOLE)}; {BEYOND}"
        )
        finding = _finding("coverage", Verdict.PASS, said, expected)
        evidence = of_survey(survey, "coverage", survey.coverage)
        yield finding.model_copy(update={"evidence": (evidence,)})


def _never_asked(site: Site, survey: Survey) -> list[str]:
    """Services and regions without any row: a surveyor that did not run leaves none."""
    rows = {(row.service, row.region) for row in survey.coverage}
    regions = {region for service, region in rows if service in REGIONAL}
    regions.add(site.source.aws.home_region)
    absent = [f"{service}/{region}" for region in sorted(regions) for service in REGIONAL]
    absent += [f"{service}/global" for service in (*GLOBAL, "account")]
    missing = [each for each in absent if tuple(each.split("/")) not in rows]
    if not any(service == "kubernetes" for service, _ in rows):
        missing.append("kubernetes")
    return missing


def _declared(survey: Survey, difference: Difference, phase: Phase) -> Iterator[Finding]:
    expected = "what the site file declares is found, and what is found is declared"
    if phase == "before-cutover":
        for each in difference.missing:
            remedy = f"correct {each.key} in the site file, or find out where it went"
            yield _finding(each.key, Verdict.FAIL, f"{each.what} is not in the account", expected, remedy)
    for (service, kind), resources in _grouped(difference.undeclared).items():
        names = named([each.name or each.id for each in resources])
        said = f"{len(resources)} found and named nowhere in the site file: {names}"
        remedy = "name them under source.aws.belongs, or under source.aws.stays with the owner as reason"
        finding = _finding(f"{service}/{kind}", Verdict.FAIL, said, expected, remedy)
        yield finding.model_copy(update={"evidence": (of_survey(survey, "resources", resources),)})
    by_region: dict[str, list[Resource]] = defaultdict(list)
    for resource in difference.outside:
        by_region[resource.region].append(resource)
    for region, resources in sorted(by_region.items()):
        names = named([f"{each.kind} {each.name or each.id}" for each in resources])
        said = f"{len(resources)} resources lie outside this exit: {names}"
        remedy = "confirm that none of them holds data of the shop, and name each under source.aws.stays"
        finding = _finding(f"region/{region}", Verdict.WARN, said, expected, remedy)
        yield finding.model_copy(update={"evidence": (of_survey(survey, "resources", resources),)})
    if not difference.missing and not difference.undeclared:
        said = f"{len(difference.exit)} resources of this exit, {len(difference.stays)} declared to stay"
        finding = _finding("declared", Verdict.PASS, said, expected)
        yield finding.model_copy(update={"evidence": (of_survey(survey, "resources", difference.exit),)})


def _grouped(resources: tuple[Resource, ...]) -> dict[tuple[str, str], list[Resource]]:
    grouped: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for each in resources:
        grouped[each.service, each.kind].append(each)
    return dict(sorted(grouped.items()))


CHECK = Check("INV-01", _TITLE, "residency", Severity.CRITICAL, _run)
