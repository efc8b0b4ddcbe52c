"""LEG-01: each declared processor's entity and ultimate parent are stated, and are what the site declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.eea import outside
from inventory.models.finding import Finding, Severity
from inventory.models.processing import Processor
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged

_CONTROL = Control("LEG-01", Severity.CRITICAL, "each processor's entity and ultimate parent are in the EEA")
_FACTS = ("entity", "country", "parent", "parent_country")


def _run(context: Residency) -> Iterator[Finding]:
    companies = context.site.processing.processors
    if not companies:
        yield _CONTROL.stated(context, "no-processors")
    for company in companies:

        def judge(facts: Mapping[str, str], company: Processor = company) -> Judged:
            said = ", ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in _FACTS)
            declared = (company.country, company.parent_country or company.country)
            if (facts["country"], facts["parent_country"]) != declared:
                return Verdict.FAIL, f"{said}; the site file declares {' and '.join(declared)}"
            return (Verdict.FAIL if outside(*declared) else Verdict.PASS), said

        yield _CONTROL.stated(context, company.name, _FACTS, judge)


CHECK = Check(
    "LEG-01",
    "each processor's entity and ultimate parent are stated",
    "residency",
    Severity.CRITICAL,
    _run,
)
