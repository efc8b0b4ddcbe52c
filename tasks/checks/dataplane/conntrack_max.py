"""CT-MAX: the connection-tracking table is as large as kube-proxy would make it."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import conntrack

LINE = Line("CT-MAX", "nf_conntrack_max >= max(32768 x cores, 131072)")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; where the setting is not visible, a warning that says where to read it."""

    def judge(node: Node, host: Host) -> Finding:
        table, evidence = read(context, host, conntrack.ask())
        if table.max is None:
            what = "nf_conntrack_max is not visible here"
            remedy = f"read it on the machine that runs this node; at least {table.wanted_max} is needed"
            return LINE.says(Verdict.WARN, node.name, what, evidence, remedy)
        what = f"{table.max}, at least {table.wanted_max} needed for {table.cores} cores"
        remedy = f"sysctl -w net.netfilter.nf_conntrack_max={table.wanted_max}"
        return LINE.judged(table.max >= table.wanted_max, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "connection tracking is large enough", "dataplane", LINE.severity, run, layer=Layer.SETTING
)
