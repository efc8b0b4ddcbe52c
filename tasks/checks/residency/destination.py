"""Whose a host name or address is: the site's own, a declared company's, the source's, AWS's or nobody's."""

from __future__ import annotations

from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.residency.catalogued import Judged
from tasks.checks.residency.observation import as_address, host_of, is_aws, node_at

UNKNOWN_REMEDY = "name the company under processing.processors, with its hosts or networks, or end it"
_INSIDE = (".svc", ".cluster.local", ".local", "localhost")


def whose(context: Residency, host: str) -> Judged:
    """A pass for what is the site's own or declared; a failure for AWS; `nodata` for what nobody declared."""
    site = context.site
    if node := node_at(site, host):
        return Verdict.PASS, f"{host} is {node}"
    if own := _own(context, host):
        return Verdict.PASS, f"{host} is {own}"
    if company := site.processing.owner_of(host):
        where = company.country
        if company.parent_country:
            where += f", parent in {company.parent_country}"
        return Verdict.PASS, f"{host} is declared as {company.name} ({where})"
    if context.phase == "before-cutover" and _of_source(context, host):
        return Verdict.PASS, f"{host} is the source, as declared until the cutover"
    if is_aws(host):
        return Verdict.FAIL, f"{host} is AWS"
    return Verdict.NODATA, f"{host} is declared nowhere"


def _own(context: Residency, host: str) -> str:
    site, name = context.site, host.rstrip(".")
    if name == "" or ("." not in name and ":" not in name) or name.endswith(_INSIDE):
        return "inside the cluster"
    if name == site.dns.name:
        return "the shop itself"
    if host == site.dns.server:
        return "the declared name server"
    address = as_address(host)
    if address is None:
        return ""
    if address.is_loopback or address.is_link_local or address.is_multicast:
        return "the host itself, or its link"
    networks = {"pod": site.target.cluster.pod_cidr, "service": site.target.cluster.service_cidr}
    for what, network in networks.items():
        if address in network:
            return f"inside the cluster ({what} network)"
    underlay = site.target.underlay
    return "in the underlay" if underlay is not None and address in underlay else ""


def _of_source(context: Residency, host: str) -> bool:
    source, address = context.site.source, as_address(host)
    names = {
        source.edge.address,
        source.database.host,
        host_of(source.database.reachable_as),
        host_of(source.registry.address),
        host_of(source.bucket.endpoint_url),
        host_of(source.bucket.url),
        *(str(each) for each in source.database.seen_as),
    }
    return host in names - {""} or (
        address is not None and any(address in network for network in source.networks)
    )
