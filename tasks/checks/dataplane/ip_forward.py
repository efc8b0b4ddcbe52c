"""DP-FWD: packets for pods are routed at all."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import sysctl

KEY = "net.ipv4.ip_forward"
LINE = Line("DP-FWD", f"{KEY} = 1", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        found, evidence = read(context, host, sysctl.ask([KEY]))
        value = found[KEY].value
        return LINE.judged(value == "1", node.name, f"{KEY} = {value}", evidence, f"sysctl -w {KEY}=1")

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "IP forwarding is on", "dataplane", LINE.severity, run, layer=Layer.SETTING)
