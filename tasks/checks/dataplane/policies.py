"""NP-ENFORCED: a NetworkPolicy in the cluster is enforced by its pod network.

On a network without a policy engine the API server takes a policy, and no packet is ever stopped by it.
"""

from __future__ import annotations

import json

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line
from tasks.checks.evidence import observed
from tasks.checks.registry import Check

LINE = Line(
    "NP-ENFORCED",
    "no NetworkPolicy in the cluster, or a pod network that enforces them",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a policy, or one of the site where there is none."""
    policies = context.kube.list("networking.k8s.io/v1", "NetworkPolicy")
    raw = json.dumps([policy.get("spec") for policy in policies], sort_keys=True)
    evidence = observed(context.clock, f"{context.kube.name}: list NetworkPolicy", raw)
    if not policies:
        return [LINE.says(Verdict.PASS, "site", "there is no NetworkPolicy", evidence)]
    kind = context.site.target.cluster.network.kind
    remedy = (
        "change to a pod network that enforces policies (calico), or delete the policy: it protects nothing"
    )
    what = f"{kind} {'enforces it' if context.enforces_policies else 'enforces nothing: it has no effect'}"
    return [
        LINE.says(
            Verdict.PASS if context.enforces_policies else Verdict.FAIL,
            f"networkpolicy/{policy['metadata']['namespace']}/{policy['metadata']['name']}",
            what,
            evidence,
            remedy,
        )
        for policy in policies
    ]


CHECK = Check(LINE.code, "NetworkPolicies are not ignored", "dataplane", LINE.severity, run)
