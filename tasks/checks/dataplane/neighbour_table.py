"""DP-NEIGH: the neighbour table holds every node and every local pod, twice over."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import sysctl

KEYS = [f"net.ipv4.neigh.default.gc_thresh{number}" for number in (1, 2, 3)]
LINE = Line("DP-NEIGH", "gc_thresh1 < gc_thresh2 < gc_thresh3, and gc_thresh3 >= 2 x (nodes + local pods)")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node. The settings exist in the initial network namespace only: elsewhere a warning."""
    pods: dict[str, int] = {}
    for pod in context.kube.list("v1", "Pod"):
        name = pod["spec"].get("nodeName", "")
        pods[name] = pods.get(name, 0) + 1

    def judge(node: Node, host: Host) -> Finding:
        found, evidence = read(context, host, sysctl.ask(KEYS))
        values = [found[key].number for key in KEYS]
        if any(value is None for value in values):
            what = "gc_thresh1..3 are not visible here: the node is no machine with a kernel of its own"
            remedy = f"read {KEYS[2]} on the machine that runs this node"
            return LINE.says(Verdict.WARN, node.name, what, evidence, remedy)
        low, middle, high = (value or 0 for value in values)
        needed = 2 * (len(context.site.target.nodes) + pods.get(node.name, 0))
        what = f"{low} / {middle} / {high}, at least {needed} needed"
        remedy = f"sysctl -w {KEYS[2]}={max(4096, needed)} (the kernel profile sets all three)"
        return LINE.judged(low < middle < high and high >= needed, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "the neighbour table is large enough", "dataplane", LINE.severity, run, layer=Layer.SETTING
)
