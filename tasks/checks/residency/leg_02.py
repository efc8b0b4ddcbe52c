"""LEG-02: no contract with a processor reserves disclosure to authorities of a third country, as stated."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from tasks.checks.context import Residency
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control

_CONTROL = Control(
    "LEG-02", Severity.HIGH, "a statement on each contract, with its digest, that it has no such clause"
)


def _run(context: Residency) -> Iterator[Finding]:
    companies = context.site.processing.processors
    if not companies:
        yield _CONTROL.stated(context, "no-processors")
    for company in companies:
        yield _CONTROL.stated(context, company.name, documents=1)


CHECK = Check(
    "LEG-02",
    "no contract reserves disclosure to authorities of a third country",
    "residency",
    Severity.HIGH,
    _run,
)
