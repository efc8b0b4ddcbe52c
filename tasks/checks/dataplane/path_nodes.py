"""PATH-NODES: every node reaches every other node."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, node_probe_of
from tasks.checks.dataplane.path_matrix import row
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host

LINE = Line("PATH-NODES", "all nodes reach each other by TCP and UDP, both ways", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, and one for each broken path."""

    def judge(node: Node, _: Host) -> list[Finding]:
        others = {n.name: str(n.address) for n in context.site.target.nodes if n.name != node.name}
        remedy = "look at the firewall and the routes between the nodes"
        return row(context, LINE, node.name, node_probe_of(context, node), others, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "all nodes reach each other", "dataplane", LINE.severity, run, layer=Layer.NODES)
