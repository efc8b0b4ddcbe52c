"""PATH-PODS: every pod reaches every other, on its own node and on others, in both directions."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, probe_of
from tasks.checks.dataplane.path_matrix import row
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.probe import NAMESPACE

LINE = Line("PATH-PODS", "all pairs of pods reach each other by TCP and UDP, both ways", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, and one for each broken path."""
    pods = context.kube.list("v1", "Pod", namespace=NAMESPACE, selector="answers=probe")
    addresses = {
        f"{pod['spec']['nodeName']}/{pod['metadata']['name']}": pod["status"]["podIP"]
        for pod in pods
        if pod.get("status", {}).get("podIP")
    }

    def judge(node: Node, _: Host) -> list[Finding]:
        pod = probe_of(context, node)
        targets = {name: address for name, address in addresses.items() if not name.endswith(f"/{pod}")}
        remedy = (
            f"is {context.site.target.cluster.network.port}/udp let through between the nodes, both ways? "
            "See FL-PEERS and FL-LINK of both"
        )
        return row(context, LINE, node.name, pod, targets, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "all pods reach each other", "dataplane", LINE.severity, run, layer=Layer.PODS)
