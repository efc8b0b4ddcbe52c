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
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.probe import PEER_SERVICE, parse_hits

LINE = Line("KP-VIP-POD", "from a pod, every connection to a Service is answered", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; endpoints on the same node are among those that must answer.

    The asking pod is no endpoint of the Service that is asked: that a pod reaches itself is KP-HAIRPIN's
    subject, and this check could not judge it. A first packet that the bridge drops is not yet known to
    connection tracking, so its repetition after a second is dealt anew, most often to another endpoint: where
    one of two endpoints was behind a port without hairpin mode, 34 of 64 connections failed within 0.9 s, 7
    within 2.5 s.
    """
    url, wanted = virtual_url(context, PEER_SERVICE), endpoints_of_probe(context, PEER_SERVICE)

    def judge(node: Node, _: Host) -> Finding:
        hits, evidence = ask(context, probe_of(context, node), hits_words(url, len(wanted)), parse_hits)
        wrong = shortfall(hits, wanted)
        remedy = (
            f"if connections to the node's own pods fail, look at DP-BRNF of {node.name}; "
            "if those to other nodes fail, at PATH-PODS"
        )
        return LINE.judged(not wrong, node.name, wrong or summary(hits), evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "Services answer pods", "dataplane", LINE.severity, run, layer=Layer.USE)
