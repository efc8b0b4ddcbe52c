"""LEG-03: each transfer to a third country has a stated basis, with the document or date it needs.

Whether the basis holds is for a person to say: this shows that somebody did, when, and on which document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.eea import outside
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control, Judged

_CONTROL = Control("LEG-03", Severity.CRITICAL, "a basis of Art. 45, 46 or 49 is stated for each transfer")
# What a basis needs beside its name: of Art. 45 to the US the date of the listing, of Art. 46 the assessment.
_NEEDS = {"art-45": "listed_on", "art-46": "assessment", "art-49": "derogation"}


def _run(context: Residency) -> Iterator[Finding]:
    third = [
        each for each in context.site.processing.processors if outside(each.country, each.parent_country)
    ]
    if not third:
        yield _CONTROL.stated(context, "no-transfers")
    for company in third:
        yield _CONTROL.stated(context, company.name, ("basis",), _basis, documents=1)


def _basis(facts: Mapping[str, str]) -> Judged:
    basis = facts["basis"]
    if basis not in _NEEDS:
        return Verdict.NODATA, f"the basis {basis!r} is not known; known: {', '.join(_NEEDS)}"
    needed = _NEEDS[basis]
    if not facts.get(needed, "").strip():
        return Verdict.NODATA, f"{basis}, without {needed}"
    # A derogation is for single cases (Art. 49, EDPB Guidelines 2/2018): shown, for a person to look at.
    return (Verdict.WARN if basis == "art-49" else Verdict.PASS), f"{basis}, {needed} {facts[needed]}"


CHECK = Check(
    "LEG-03", "each transfer to a third country has a stated basis", "residency", Severity.CRITICAL, _run
)
