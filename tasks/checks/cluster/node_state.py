"""CLU-NODE: every node says that it is ready, and short of nothing."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.cluster.asking import nodes, says
from tasks.checks.context import Cluster
from tasks.checks.registry import Check

CODE = "CLU-NODE"
_EXPECTED = "Ready, and no pressure of memory, disk or process ids"


def run(context: Cluster) -> Iterable[Finding]:
    """One finding a node."""
    for each in nodes(context):
        states = {c["type"]: c for c in each.node["status"].get("conditions") or ()}
        ready = states.get("Ready", {}).get("status") == "True"
        short = [kind for kind, c in sorted(states.items()) if kind != "Ready" and c["status"] == "True"]
        cordoned = bool(each.node.get("spec", {}).get("unschedulable"))
        wrong = [] if ready else [f"not Ready: {states.get('Ready', {}).get('message', 'it says nothing')}"]
        what = "; ".join([*wrong, *short, *(["cordoned"] if cordoned else [])])
        verdict = Verdict.FAIL if wrong or short else Verdict.WARN if cordoned else Verdict.PASS
        told = what or f"Ready, kubelet {each.info.get('kubeletVersion', 'of an unknown release')}"
        remedy = f"kubectl describe node {each.name}; on it: journalctl -u kubelet -n 50"
        yield says(CODE, Severity.HIGH, _EXPECTED, each.name, verdict, told, (each.evidence,), remedy)


CHECK = Check(CODE, "Nodes are ready", "cluster", Severity.HIGH, run)
