"""FL-READY: flanneld itself says that it is ready."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_got
from tasks.operations.flannel import HEALTH_PORT

LINE = Line("FL-READY", "flanneld's /readyz answers 200", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, asked on the node's own loopback."""

    def judge(node: Node, host: Host) -> Finding:
        url = f"http://127.0.0.1:{HEALTH_PORT}/readyz"
        got, evidence = ask(context, node_probe_of(context, node), ["get", url], parse_got)
        what = f"/readyz: {got.status or got.error}"
        remedy = f"ssh {host.name} journalctl -u flanneld -n 50"
        return LINE.judged(got.status == 200, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "flanneld is ready", "dataplane", LINE.severity, on_flannel(LINE, run))
