"""NET-03: customers' TLS ends on declared parts: no undeclared CDN, firewall or balancer is in between."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.catalogued import Control
from tasks.checks.residency.destination import UNKNOWN_REMEDY, whose
from tasks.checks.residency.observation import text_of

_CONTROL = Control("NET-03", Severity.CRITICAL, "the way in ends on a declared node or at a declared company")


def _run(context: Residency) -> Iterator[Finding]:
    site, dns = context.site, context.site.dns
    verdict, said = whose(context, site.target.edge.address)
    declared = observed(context.clock, "site file: target.edge.address", site.target.edge.address)
    yield _CONTROL.finding("target/edge", verdict, said, (declared,), UNKNOWN_REMEDY)
    addresses, _ = context.dns.address(dns.name)
    source = f"A {dns.name} @{dns.server}:{dns.port}, authoritative"
    evidence = (observed(context.clock, source, ",".join(addresses)),)
    if not addresses:
        yield _CONTROL.finding(dns.name, Verdict.NODATA, "no address", evidence, "give it an A record")
    for address in addresses:
        verdict, said = whose(context, address)
        yield _CONTROL.finding(f"{dns.name}/{address}", verdict, said, evidence, UNKNOWN_REMEDY)
    yield from _balancers(context)


def _balancers(context: Residency) -> Iterator[Finding]:
    """Services and Ingresses that somebody outside the nodes answers for."""
    kube = context.target
    for version, kind in (("v1", "Service"), ("networking.k8s.io/v1", "Ingress")):
        objects = kube.list(version, kind)
        ways = {
            f"{kind.lower()}/{o['metadata'].get('namespace', '')}/{o['metadata']['name']}": [
                str(each.get("hostname") or each.get("ip") or "")
                for each in ((o.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
            ]
            for o in objects
        }
        evidence = (observed(context.clock, f"{kube.name}: list {version} {kind}", text_of(ways)),)
        sound = True
        for subject, hosts in sorted(ways.items()):
            for host in hosts:
                verdict, said = whose(context, host)
                if verdict is not Verdict.PASS:
                    sound = False
                    yield _CONTROL.finding(subject, verdict, said, evidence, UNKNOWN_REMEDY)
        if sound:
            said = f"{len(objects)} of the cluster, none answered for by an undeclared load balancer"
            yield _CONTROL.finding(kind.lower(), Verdict.PASS, said, evidence)


CHECK = Check("NET-03", "customers' TLS ends on declared parts", "residency", Severity.CRITICAL, _run)
