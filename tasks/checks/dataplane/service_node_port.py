"""KP-NODEPORT: a NodePort answers on every node, asked from another one."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.service_dials import dialled, ways
from tasks.checks.dataplane.service_paths import (
    endpoints_of_probe,
    hits_words,
    node_port,
    shortfall,
    summary,
)
from tasks.checks.registry import Check, Layer
from tasks.drivers.errors import Unasked
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_hits

LINE = Line("KP-NODEPORT", "every connection to a NodePort of any node is answered", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, whose NodePort the next node asks; without probes those of all Services."""
    nodes = context.site.target.nodes
    asker = {node.name: nodes[(place + 1) % len(nodes)] for place, node in enumerate(nodes)}
    if context.without_probes:
        return _own_services(context, asker)
    port, wanted = node_port(context), endpoints_of_probe(context)

    def judge(node: Node, _: Host) -> Finding:
        words = hits_words(f"http://{node.address}:{port}/", len(wanted))
        hits, evidence = ask(context, node_probe_of(context, asker[node.name]), words, parse_hits)
        wrong = shortfall(hits, wanted)
        what = f"asked by {asker[node.name].name}: {wrong or summary(hits)}"
        remedy = f"is {port}/tcp let through to {node.address}, and is KP-MODE of {node.name} well?"
        return LINE.judged(not wrong, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _own_services(context: DataPlane, asker: Mapping[str, Node]) -> list[Finding]:
    ports = ways(context).node_ports
    if not ports:
        raise Unasked(context.kube.name, "no Service of the cluster has a NodePort on every node")

    def judge(node: Node, _: Host) -> Finding:
        names = {f"{node.address}:{port}": name for port, name in ports.items()}
        remedy = "are the NodePorts let through to this node, and is its KP-MODE well?"
        return dialled(context, LINE, node, asker[node.name], names, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "NodePorts answer", "dataplane", LINE.severity, run, layer=Layer.USE)
