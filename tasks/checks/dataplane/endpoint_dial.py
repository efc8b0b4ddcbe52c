"""KP-DIAL: every ready endpoint takes a connection.

In iptables mode a packet for a dead pod fails and is not tried on another one: each is a lost request.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.proxy_endpoints import expected_endpoints
from tasks.checks.dataplane.service_dials import share
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_dialled

LINE = Line(
    "KP-DIAL",
    "every ready TCP endpoint of every Service takes a connection from every node",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, naming the endpoints that do not answer."""
    udp = {
        f"{service['metadata']['namespace']}/{service['metadata']['name']}"
        + (f":{port['name']}" if port.get("name") else "")
        for service in context.kube.list("v1", "Service")
        for port in service["spec"].get("ports", ())
        if port.get("protocol", "TCP") != "TCP"
    }
    services: dict[str, list[str]] = {}
    for name, addresses in expected_endpoints(context).items():
        if name not in udp:
            for address in addresses:
                services.setdefault(address, []).append(name)

    def judge(node: Node, _: Host) -> Finding:
        if not services:
            return LINE.says(
                Verdict.NODATA, node.name, "no Service has an endpoint", (), "apply the workload"
            )
        asked = sorted(services)
        if context.without_probes:
            asked = share(context, node, asked)
        found, evidence = ask(context, node_probe_of(context, node), ["tcp", *asked], parse_dialled)
        dead = [f"{d.address} ({', '.join(services[d.address])}): {d.error}" for d in found if not d.ok]
        of_all = f" of {len(services)}" if len(asked) < len(services) else ""
        what = "; ".join(dead[:5]) or f"{len(found)}{of_all} endpoints answer"
        remedy = "give the workload a readiness probe that sees this, and look at the pod"
        return LINE.judged(not dead, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "no dead endpoint is routed to", "dataplane", LINE.severity, run, layer=Layer.USE)
