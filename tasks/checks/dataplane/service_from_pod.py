"""KP-VIP-POD: from a pod, a Service's address leads to every one of its endpoints."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, probe_of
from tasks.checks.dataplane.service_paths import (
    endpoints_of_probe,
    hits_words,
    shortfall,
    summary,
    virtual_url,
)
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_hits

LINE = Line("KP-VIP-POD", "from a pod, every connection to a Service is answered", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; endpoints on the same node are among those that must answer.

    The asking pod itself is not: its own answer is KP-HAIRPIN's subject.
    """
    url, wanted = virtual_url(context), endpoints_of_probe(context)

    def judge(node: Node, _: Host) -> Finding:
        pod = probe_of(context, node)
        hits, evidence = ask(context, pod, hits_words(url, len(wanted)), parse_hits)
        wrong = shortfall(hits, wanted - {pod})
        remedy = (
            f"if connections to the node's own pods fail, look at DP-BRNF and KP-HAIRPIN of {node.name}; "
            "if those to other nodes fail, at PATH-PODS"
        )
        return LINE.judged(not wrong, node.name, wrong or summary(hits), evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "Services answer pods", "dataplane", LINE.severity, run)
