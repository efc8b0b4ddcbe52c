"""WL-SCALE: the declared mode of kube-proxy suits the number of Services that will move."""

from __future__ import annotations

import json
from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import finding
from tasks.operations.proxy_scale import MANY_SERVICES, REMEDY, advice

CODE = "WL-SCALE"
_EXPECTED = f"iptables mode with at most {MANY_SERVICES} Services, or nftables"


def _run(context: Context) -> Iterator[Finding]:
    moving = context.site.workload.namespaces
    services = context.source.list("v1", "Service")
    count = sum(service["metadata"].get("namespace") in moving for service in services)
    mode = context.site.target.cluster.kube_proxy.mode
    raw = json.dumps({"services": count, "mode": str(mode)})
    evidence = observed(context.clock, f"{context.source.name}: list Service", raw)
    said = advice(mode, count)
    verdict = Verdict.WARN if said else Verdict.PASS
    what = said or f"{count} Services move, to {mode} mode"
    yield finding(CODE, ", ".join(moving), verdict, what, _EXPECTED, evidence, REMEDY if said else "")


CHECK = Check(CODE, "kube-proxy's mode suits the Services that move", "workload", Severity.MEDIUM, _run)
