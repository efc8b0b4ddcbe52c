"""LOC-04: the target's public addresses are registered to nobody in the United States.

A registrant is a company, not a place: its country says nothing of where the host stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Grade, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.public_addresses import public_addresses

_CONTROL = Control("LOC-04", Severity.HIGH, "the registrant of each public address is not a US entity")


def _run(context: Residency) -> Iterator[Finding]:
    addresses, table = public_addresses(context.site), context.registrants
    if not addresses:
        said = "the target has no public address: no registry can speak of it"
        yield _CONTROL.finding("addresses", Verdict.NODATA, said, (), "declare the public addresses")
    elif table is None:
        remedy = "give a range table of registrants: processing.registrants"
        yield _CONTROL.finding("addresses", Verdict.NODATA, "no table of registrants", (), remedy)
    else:
        for what, address in addresses.items():
            country = table.country(address)
            source = f"{table.name}, sha256 {table.digest}"
            evidence = (observed(context.clock, source, f"{address} {country}", Grade.E3),)
            said = f"the registrant of {address} is in {country or 'no country of the table'}"
            verdict = Verdict.NODATA if not country else Verdict.FAIL if country == "US" else Verdict.PASS
            remedy = "take addresses of another registrant, or say why this one is right in a waiver"
            yield _CONTROL.finding(what, verdict, said, evidence, remedy)


CHECK = Check(
    "LOC-04",
    "the target's public addresses are registered to nobody in the United States",
    "residency",
    Severity.HIGH,
    _run,
)
