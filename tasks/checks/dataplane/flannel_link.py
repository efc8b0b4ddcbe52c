"""FL-LINK: the VXLAN link is as declared and sends from the node's own address."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import links

LINE = Line(
    "FL-LINK", "vxlan id, local address, port and underlay as declared; nolearning", Severity.CRITICAL
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    network = context.site.target.cluster.network
    name = f"flannel.{network.vni}"

    def judge(node: Node, host: Host) -> Finding:
        found, evidence = read(context, host, links.ask())
        link = found.get(name)
        if link is None or link.vxlan is None:
            remedy = f"ssh {node.name} journalctl -u flanneld -n 50"
            return LINE.says(Verdict.FAIL, node.name, f"there is no VXLAN link {name}", evidence, remedy)
        vxlan = link.vxlan
        good = (
            vxlan.vni == network.vni
            and vxlan.local == str(node.address)
            and vxlan.port == network.port
            and vxlan.underlay == node.interface
            and not vxlan.learning
            and link.up
        )
        what = (
            f"{name} {'up' if link.up else 'down'}: id {vxlan.vni} local {vxlan.local} dev {vxlan.underlay} "
            f"dstport {vxlan.port} {'learning' if vxlan.learning else 'nolearning'}"
        )
        remedy = (
            f"ssh {node.name} 'ip link delete {name}; systemctl restart flanneld'; check the node's address "
            "and interface in the site file"
        )
        return LINE.judged(good, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "the VXLAN link is right", "dataplane", LINE.severity, run)
