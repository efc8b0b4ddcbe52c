"""NET-02: who answers for the shop's name, with which address and TTL, and which resolvers the nodes ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.models.command import Command
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.residency.observation import as_address, is_aws, named, of_survey
from tasks.drivers.errors import OutsideError

# Public resolvers of companies in the United States, and the one that AWS gives its networks; from the
# operators' own documentation.
_KNOWN_RESOLVERS = {
    "8.8.8.8": "Google",
    "8.8.4.4": "Google",
    "1.1.1.1": "Cloudflare",
    "1.0.0.1": "Cloudflare",
    "208.67.222.222": "Cisco OpenDNS",
    "208.67.220.220": "Cisco OpenDNS",
    "4.2.2.1": "Level 3",
    "4.2.2.2": "Level 3",
    "169.254.169.253": "AWS",
}
_RESOLV_CONF = "/etc/resolv.conf"


def _run(context: Residency) -> Iterator[Finding]:
    yield _address(context)
    yield _servers(context)
    yield _route53(context)
    for name in sorted(context.hosts):
        yield _resolvers(context, name)


def _finding(
    subject: str, verdict: Verdict, said: str, expected: str, evidence: Sequence[Evidence], remedy: str = ""
) -> Finding:
    return Finding(
        code="NET-02",
        subject=subject,
        verdict=verdict,
        observed=said,
        expected=expected,
        evidence=tuple(evidence),
        remedy=remedy,
        severity=Severity.HIGH,
    )


def _address(context: Residency) -> Finding:
    site, dns = context.site, context.site.dns
    addresses, ttl_s = context.dns.address(dns.name)
    source = f"A {dns.name} @{dns.server}:{dns.port}, authoritative"
    evidence = [observed(context.clock, source, f"{','.join(addresses)} ttl {ttl_s}")]
    ours, theirs = site.target.edge.address, site.source.edge.address
    before = context.phase == "before-cutover"
    allowed = {ours, theirs} if before else {ours}
    expected = f"{' or '.join(sorted(allowed))}, TTL at most {dns.ttl_s} s"
    said = f"{', '.join(addresses) or 'no address'}, TTL {ttl_s} s"
    if not addresses:
        return _finding(dns.name, Verdict.FAIL, said, expected, evidence, f"give {dns.name} an A record")
    if set(addresses) - allowed:
        if any(as_address(each) is None for each in allowed):
            said += f" (declared by name: {', '.join(sorted(allowed))}; not compared)"
            return _finding(
                dns.name, Verdict.NODATA, said, expected, evidence, "declare edge.address as address"
            )
        remedy = (
            "safe-harbor cutover" if not before else "correct the record, or edge.address in the site file"
        )
        return _finding(dns.name, Verdict.FAIL, said, expected, evidence, remedy)
    if ttl_s > dns.ttl_s:
        remedy = f"lower the TTL of {dns.name} to {dns.ttl_s} s, a whole old TTL before the cutover"
        return _finding(dns.name, Verdict.FAIL, said, expected, evidence, remedy)
    return _finding(dns.name, Verdict.PASS, said, expected, evidence)


def _servers(context: Residency) -> Finding:
    dns = context.site.dns
    servers = context.dns.name_servers()
    source = f"NS {dns.zone} @{dns.server}:{dns.port}, authoritative"
    evidence = [observed(context.clock, source, "\n".join(servers))]
    expected = "the zone names its servers, and none of them is AWS's"
    subject = f"{dns.zone}/NS"
    theirs = [each for each in servers if is_aws(each)]
    if theirs:
        remedy = "delegate the zone to servers of the target, and take these out"
        return _finding(subject, Verdict.FAIL, f"AWS answers: {named(theirs)}", expected, evidence, remedy)
    if not servers:
        remedy = f"give {dns.zone} its NS records"
        return _finding(subject, Verdict.NODATA, "the zone names no server", expected, evidence, remedy)
    said = f"{dns.server} answers with authority; the zone names {named(servers)}"
    return _finding(subject, Verdict.PASS, said, expected, evidence)


def _route53(context: Residency) -> Finding:
    zone = context.site.dns.zone
    rows = [row for row in context.survey.coverage if row.service == "route53"]
    found = [each for each in context.survey.resources if (each.kind, each.name) == ("hosted-zone", zone)]
    subject, expected = f"aws/route53/{zone}", "no zone of this name answers at AWS after finalize"
    if not rows or not all(row.status.complete for row in rows):
        evidence = [of_survey(context.survey, "route53 coverage", rows)]
        remedy = "give the survey its rights, then: safe-harbor survey"
        return _finding(subject, Verdict.NODATA, "Route 53 was not seen whole", expected, evidence, remedy)
    evidence = [of_survey(context.survey, "route53 list_hosted_zones", found or rows)]
    if not found:
        return _finding(subject, Verdict.PASS, "Route 53 has no zone of this name", expected, evidence)
    said = f"Route 53 has a zone of this name ({found[0].id})"
    if context.phase == "after-finalize":
        remedy = "check the delegation at the registrar, then delete the zone"
        return _finding(subject, Verdict.WARN, said, expected, evidence, remedy)
    said += f"; {context.site.dns.server} is declared as the authoritative one"
    return _finding(subject, Verdict.PASS, said, expected, evidence)


def _resolvers(context: Residency, name: str) -> Finding:
    expected = "the node asks no resolver of a US company, and none of AWS"
    subject = f"{name}/resolvers"
    try:
        text = context.hosts[name].check(Command.of("cat", _RESOLV_CONF))
    except OutsideError as error:
        remedy = error.remedy or f"make {_RESOLV_CONF} readable"
        return _finding(subject, Verdict.ERROR, str(error), expected, (), remedy)
    evidence = [observed(context.clock, f"{name}: cat {_RESOLV_CONF}", text)]
    lines = [line.split() for line in text.splitlines()]
    asked = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    known = [f"{each} ({_KNOWN_RESOLVERS[each]})" for each in asked if each in _KNOWN_RESOLVERS]
    if known:
        remedy = f"name another resolver in {_RESOLV_CONF}"
        return _finding(subject, Verdict.FAIL, f"it asks {', '.join(known)}", expected, evidence, remedy)
    addresses = [as_address(each) for each in asked]
    public = [str(each) for each in addresses if each is not None and each.is_global]
    if public or None in addresses:
        said = f"it asks {', '.join(asked)}; whose they are was not observed"
        remedy = "ask the operator of the resolver where it answers from"
        return _finding(subject, Verdict.WARN, said, expected, evidence, remedy)
    said = f"it asks {', '.join(asked)}" if asked else "it asks no resolver"
    return _finding(subject, Verdict.PASS, said, expected, evidence)


CHECK = Check(
    "NET-02",
    "the shop's name is answered by the declared server, and the nodes ask resolvers that are known",
    "residency",
    Severity.HIGH,
    _run,
)
