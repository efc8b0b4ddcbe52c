"""KP-SCALE: kube-proxy's mode suits the number of Services in the cluster."""

from __future__ import annotations

import json

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line
from tasks.checks.dataplane.remedies import in_our_file, proxy_setting
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.operations.proxy_scale import COST, MANY_SERVICES, NEEDS, REMEDY, advice

LINE = Line("KP-SCALE", f"iptables mode with at most {MANY_SERVICES} Services, or nftables", Severity.MEDIUM)


def run(context: DataPlane) -> list[Finding]:
    """One finding of the site."""
    count = len(context.kube.list("v1", "Service"))
    mode = context.site.target.cluster.kube_proxy.mode
    evidence = observed(context.clock, f"{context.kube.name}: list Service", json.dumps({"services": count}))
    said = advice(mode, count)
    verdict = Verdict.WARN if said else Verdict.PASS
    theirs = f"{COST}: {proxy_setting(context, 'mode: nftables')} ({NEEDS})"
    remedy = in_our_file(context, REMEDY, theirs)
    return [LINE.says(verdict, "site", said or f"{count} Services in {mode} mode", evidence, remedy)]


CHECK = Check(LINE.code, "kube-proxy's mode suits the number of Services", "dataplane", LINE.severity, run)
