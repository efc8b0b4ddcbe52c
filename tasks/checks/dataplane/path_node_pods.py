"""PATH-NODE-PODS: every node reaches every pod, as kubelet's probes and the edge do."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, node_probe_of, probe_addresses
from tasks.checks.dataplane.path_matrix import row
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host

LINE = Line("PATH-NODE-PODS", "all nodes reach all pods by TCP and UDP", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, and one for each broken path."""
    pods = {f"pod on {node}": address for node, address in probe_addresses(context).items()}

    def judge(node: Node, _: Host) -> list[Finding]:
        remedy = "where PATH-PODS fails as well, begin there; else look at FL-MASQ and the node's own routes"
        return row(context, LINE, node.name, node_probe_of(context, node), pods, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "all nodes reach all pods", "dataplane", LINE.severity, run, layer=Layer.USE)
