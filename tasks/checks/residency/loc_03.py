"""LOC-03: two geo databases agree on where the target's public addresses are. Corroboration, no more."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.eea import EEA
from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.public_addresses import public_addresses

_CONTROL = Control("LOC-03", Severity.MEDIUM, "two geo databases name the same country, in the EEA")
_REMEDY = "give two range tables: processing.countries and processing.countries_again"


def _run(context: Residency) -> Iterator[Finding]:
    addresses = public_addresses(context.site)
    if not addresses:
        said = "the target has no public address: there is nothing that a geo database could know"
        yield _CONTROL.finding("addresses", Verdict.NODATA, said, (), "declare the public addresses")
    elif len(context.countries) < 2 or len({each.digest for each in context.countries}) < 2:
        said = f"{len(context.countries)} geo databases, or twice the same one"
        yield _CONTROL.finding("addresses", Verdict.NODATA, said, (), _REMEDY)
    else:
        for what, address in addresses.items():
            told = [each.country(address) for each in context.countries]
            evidence = [
                observed(
                    context.clock, f"{each.name}, sha256 {each.digest}", f"{address} {country}", Grade.E3
                )
                for each, country in zip(context.countries, told, strict=True)
            ]
            said = f"{address}: {' and '.join(country or 'nothing' for country in told)}"
            if "" in told:
                verdict = Verdict.NODATA
            elif len(set(told)) > 1:
                verdict, said = Verdict.WARN, f"{said}; they disagree"
            else:
                verdict = Verdict.PASS if told[0] in EEA else Verdict.FAIL
            yield _CONTROL.finding(
                what, verdict, said, evidence, "ask the provider where the address is; a database may err"
            )


CHECK = Check(
    "LOC-03",
    "two geo databases agree on where the target's public addresses are",
    "residency",
    Severity.MEDIUM,
    _run,
)
