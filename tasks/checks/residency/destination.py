"""Whose a host name or address is: the site's own, a declared company's, the source's, AWS's or nobody's."""

from __future__ import annotations

from ipaddress import ip_address

from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.residency.catalogued import Judged
from tasks.checks.residency.observation import as_address, host_of, is_aws, node_at

UNKNOWN_REMEDY = "name the company under processing.processors, with its hosts or networks, or end it"
_INSIDE = (".svc", ".cluster.local")  # names that no other DNS than the cluster's knows


def whose(context: Residency, host: str, *, of_pod: bool = False) -> Judged:
    """A pass for what is the site's own or declared; a failure for AWS; `nodata` for what nobody declared.

    `of_pod`: a pod names it, so a name without a dot is a Service beside it; what a machine's own resolver
    makes of such a name is not known.
    """
    if not host.rstrip("."):
        return Verdict.NODATA, "no host is named"
    site = context.site
    if node := node_at(site, host):
        return Verdict.PASS, f"{host} is {node}"
    if own := _own(context, host, of_pod=of_pod):
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


def _own(context: Residency, host: str, *, of_pod: bool) -> str:
    site, name = context.site, host.rstrip(".")
    if name.split(".")[-1] == "localhost":
        return "the host itself"
    if name.endswith(_INSIDE) or (of_pod and "." not in name and ":" not in name):
        return "inside the cluster"
    if name == site.dns.name:
        return "the shop itself"
    if host == site.dns.server:
        return "the declared name server"
    if exchange := next((each for each in site.latency.exchanges if str(each.address) == host), None):
        return f"{exchange.name}, whose distance is measured"
    if _on_the_link(host):
        return "the host itself, or its link"
    address = as_address(host)
    if address is None:
        return ""
    networks = {"pod": site.target.cluster.pod_cidr, "service": site.target.cluster.service_cidr}
    for what, network in networks.items():
        if address in network:
            return f"inside the cluster ({what} network)"
    underlay = site.target.underlay
    return "in the underlay" if underlay is not None and address in underlay else ""


def _on_the_link(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_multicast


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
