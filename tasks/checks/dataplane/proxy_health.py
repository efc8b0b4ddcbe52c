"""KP-HEALTH: kube-proxy says that its rules are up to date."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.remedies import PROXY, log
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts.kube_proxy import HEALTH
from tasks.facts.probe import parse_got

LINE = Line("KP-HEALTH", "kube-proxy's /healthz answers 200")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""

    def judge(node: Node, host: Host) -> Finding:
        got, evidence = ask(context, node_probe_of(context, node), ["get", f"{HEALTH}/healthz"], parse_got)
        what = f"/healthz: {got.status or got.error}"
        remedy = log(context, host.name, PROXY)
        return LINE.judged(got.status == 200, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "kube-proxy is healthy", "dataplane", LINE.severity, run)
