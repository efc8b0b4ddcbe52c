"""The rules of a declaration, judged again with the clock: a waiver that the loader took may have expired."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.cluster import Role
from inventory.models.finding import Finding, Grade, Severity
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from inventory.site_limits import RULES, SUBJECT, Broken, Numbers, broken, overlapping
from tasks.checks.context import Admission
from tasks.checks.evidence import observed


def judge(context: Admission, rule: str) -> Iterator[Finding]:
    """One finding about the site file."""
    found = [each for each in _all(context) if each.rule == rule]
    said = "; ".join(each.what for each in found) or "kept"
    yield Finding(
        code=rule,
        subject=SUBJECT,
        verdict=Verdict.FAIL if found else Verdict.PASS,
        observed=said,
        expected=RULES[rule],
        evidence=(observed(context.clock, "site file", said, Grade.E4),),
        remedy="correct the site file" if found else "",
        severity=Severity.CRITICAL,
    )


def _all(context: Admission) -> Iterator[Broken]:
    target = context.site.target
    cluster = target.cluster
    yield from broken(
        Numbers(
            len(target.having(Role.CONTROL_PLANE)),
            len(target.nodes),
            cluster.pod_cidr,
            cluster.service_cidr,
            cluster.subnet_len,
            cluster.max_pods,
        )
    )
    networks = {
        "target.cluster.pod_cidr": cluster.pod_cidr,
        "target.cluster.service_cidr": cluster.service_cidr,
    }
    if isinstance(context.site, Site):
        if context.site.target.underlay is not None:
            networks["target.underlay"] = context.site.target.underlay
        for number, network in enumerate(context.site.source.networks):
            networks[f"source.networks[{number}]"] = network
    yield from overlapping(networks)
