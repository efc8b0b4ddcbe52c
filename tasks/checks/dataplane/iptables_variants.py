"""DP-MIXED: rules of Kubernetes in legacy and in nft tables at once contradict each other unseen."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import iptables

LINE = Line("DP-MIXED", "lines with KUBE- in at most one of iptables-legacy-save and iptables-nft-save")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        counts, evidence = read(context, host, iptables.ask_variants())
        what = f"legacy {counts['legacy']}, nft {counts['nft']}"
        remedy = "choose one by update-alternatives --config iptables, flush the other, restart kube-proxy"
        return LINE.judged(min(counts.values()) == 0, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "one variant of iptables is in use", "dataplane", LINE.severity, run, layer=Layer.SETTING
)
