"""DP-BRNF: what passes a bridge passes iptables, else pods of one node do not reach each other by Service."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import sysctl

KEY = "net.bridge.bridge-nf-call-iptables"
LINE = Line("DP-BRNF", f"{KEY} = 1", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        found, evidence = read(context, host, sysctl.ask([KEY]))
        value = found[KEY].value
        what = f"{KEY} = {value}" if value is not None else f"{KEY} is missing: br_netfilter is not loaded"
        return LINE.judged(
            value == "1", node.name, what, evidence, f"modprobe br_netfilter && sysctl -w {KEY}=1"
        )

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "bridged packets pass iptables", "dataplane", LINE.severity, run, layer=Layer.SETTING
)
