"""PATH-NODES: every node reaches every other node, and every pod."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, node_probe_of, probe_addresses
from tasks.checks.dataplane.path_matrix import row
from tasks.checks.registry import Check
from tasks.drivers.ports import Host

LINE = Line("PATH-NODES", "all nodes reach each other and all pods by TCP and UDP", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, and one for each broken path."""
    pods = {f"pod on {node}": address for node, address in probe_addresses(context).items()}

    def judge(node: Node, _: Host) -> list[Finding]:
        others = {n.name: str(n.address) for n in context.site.target.nodes if n.name != node.name}
        remedy = "look at the firewall and the routes between the nodes; pods: see PATH-PODS and FL-MASQ"
        return row(context, LINE, node.name, node_probe_of(context, node), others | pods, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "all nodes reach each other and all pods", "dataplane", LINE.severity, run)
