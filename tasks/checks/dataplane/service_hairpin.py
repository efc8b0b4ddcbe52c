"""KP-HAIRPIN: a pod reaches itself through its own Service."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, probe_of
from tasks.checks.dataplane.service_paths import endpoints_of_probe, hits_words, virtual_url
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.probe import parse_hits

LINE = Line("KP-HAIRPIN", "a pod that asks its own Service is answered by itself, too")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    url, wanted = virtual_url(context), endpoints_of_probe(context)

    def judge(node: Node, _: Host) -> Finding:
        pod = probe_of(context, node)
        hits, evidence = ask(context, pod, hits_words(url, len(wanted), stop=0), parse_hits)
        own = hits.by.get(pod, 0)
        what = f"{own} of {hits.requests} answers are its own"
        if hits.errors:
            what += f", {hits.errors} connections failed: {hits.error}"
        remedy = (
            f"hairpinMode must be on in {node.name}'s CNI configuration (`bridge -d link show`: hairpin on); "
            "then delete the node's pods"
        )
        return LINE.judged(own > 0, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "a pod reaches itself through its Service", "dataplane", LINE.severity, run, layer=Layer.USE
)
