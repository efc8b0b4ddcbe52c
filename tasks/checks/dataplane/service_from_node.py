"""KP-VIP-NODE: from a node, a Service's address leads to every one of its endpoints."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.service_dials import dialled, ways
from tasks.checks.dataplane.service_paths import (
    endpoints_of_probe,
    hits_words,
    shortfall,
    summary,
    virtual_url,
)
from tasks.checks.registry import Check, Layer
from tasks.drivers.errors import Unasked
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_hits

LINE = Line("KP-VIP-NODE", "from a node, every connection to a Service is answered", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, asked from its own network; without probes by a connection to each Service."""
    if context.without_probes:
        return _own_services(context)
    url, wanted = virtual_url(context), endpoints_of_probe(context)

    def judge(node: Node, _: Host) -> Finding:
        words = hits_words(url, len(wanted))
        hits, evidence = ask(context, node_probe_of(context, node), words, parse_hits)
        wrong = shortfall(hits, wanted)
        remedy = f"look at KP-MODE and FL-MASQ of {node.name}: is what the node sends masqueraded?"
        return LINE.judged(not wrong, node.name, wrong or summary(hits), evidence, remedy)

    return LINE.on_each(context, judge)


def _own_services(context: DataPlane) -> list[Finding]:
    names = ways(context).virtual
    if not names:
        raise Unasked(context.kube.name, "no Service has a cluster address and a ready endpoint over TCP")

    def judge(node: Node, _: Host) -> Finding:
        remedy = f"where KP-DIAL of {node.name} fails as well, look at that pod; else at KP-MODE and FL-MASQ"
        return dialled(context, LINE, node, node, names, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "Services answer nodes", "dataplane", LINE.severity, run, layer=Layer.USE)
