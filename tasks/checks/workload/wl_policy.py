"""WL-POLICY: what isolates pods at the source is enforced at the target, or nobody moves.

A NetworkPolicy is only an object: on a network without a policy engine it is accepted, listed and without
effect, and nothing says so. flannel has none (its own documentation: networking only).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import Workload as Context
from tasks.checks.evidence import observed
from tasks.checks.registry import Check
from tasks.checks.workload.workloads import elsewhere

CODE = "WL-POLICY"
_API = "networking.k8s.io/v1"
_EXPECTED = "every NetworkPolicy that moves is enforced by the target's pod network"


def _run(context: Context) -> Iterator[Finding]:
    policies = context.source.list(_API, "NetworkPolicy")
    raw = json.dumps([policy.get("spec") for policy in policies], sort_keys=True)
    evidence = observed(context.clock, f"{context.source.name}: list NetworkPolicy", raw)
    moving = context.site.workload.namespaces
    ours = [policy for policy in policies if policy["metadata"]["namespace"] in moving]
    kind = context.site.target.cluster.network.kind
    remedy = (
        "set target.cluster.network.kind to a network that enforces them (calico), or delete the policy at "
        f"the source if nothing depends on it, or waive {CODE} by name: the pods are then open to each other"
    )
    for policy in ours:
        subject = f"networkpolicy/{policy['metadata']['namespace']}/{policy['metadata']['name']}"
        said = f"{kind} {'enforces it' if context.enforces_policies else 'would take it and enforce nothing'}"
        yield Finding(
            code=CODE,
            subject=subject,
            verdict=Verdict.PASS if context.enforces_policies else Verdict.FAIL,
            observed=said,
            expected=_EXPECTED,
            evidence=(evidence,),
            remedy="" if context.enforces_policies else remedy,
            severity=Severity.CRITICAL,
        )
    if not ours:
        yield Finding(
            code=CODE,
            subject=", ".join(moving),
            verdict=Verdict.PASS,
            observed="no NetworkPolicy in the namespaces that move",
            expected=_EXPECTED,
            evidence=(evidence,),
            severity=Severity.CRITICAL,
        )
    others = [f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in policies if p not in ours]
    if not context.enforces_policies:
        yield from elsewhere(CODE, others, _EXPECTED, evidence)


CHECK = Check(CODE, "NetworkPolicies are enforced where they move to", "workload", Severity.CRITICAL, _run)
