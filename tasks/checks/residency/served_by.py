"""Where data lies that a server keeps: on a declared node, at a declared company of the EEA, or elsewhere."""

from __future__ import annotations

from inventory.eea import outside
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from tasks.checks.residency.catalogued import Judged
from tasks.checks.residency.observation import as_address, node_at


def served_by(site: Site, what: str, server: str) -> Judged:
    """What it comes to that `server` keeps the data: what is declared nowhere, or outside the EEA, fails."""
    if node := node_at(site, server):
        return Verdict.PASS, f"{what} served by {node}"
    address = as_address(server)
    if server == "localhost" or (address is not None and address.is_loopback):
        return Verdict.PASS, f"{what} served by the host itself"
    if company := site.processing.owner_of(server):
        said = f"{what} served by {server}, declared as {company.name} ({company.country})"
        return (Verdict.FAIL if outside(company.country) else Verdict.PASS), said
    underlay = site.target.underlay
    if address is not None and underlay is not None and address in underlay:
        return Verdict.WARN, f"{what} served by {server}, in the underlay but not a declared node"
    return Verdict.FAIL, f"{what} served by {server or 'nobody that is named'}, which is no declared node"
