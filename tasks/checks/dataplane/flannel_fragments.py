"""FL-FRAG: no node refuses or cuts a packet of a pod's full size.

A wrong MTU somewhere on the way shows here on the node that has it: it counts what it could not send on
(`FragFails`), or cuts the overlay's own packets in two (`FragCreates`), which halves the throughput unseen.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import Sent, Watch
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, ask, probe_addresses, probe_of
from tasks.checks.registry import Check, Layer
from tasks.facts.probe import PORT, parse

LINE = Line(
    "FL-FRAG", "FragFails and FragCreates do not rise while packets of a pod's full size cross", Severity.HIGH
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, while every pod sends its largest packet to every other node."""
    addresses = probe_addresses(context)

    def traffic(node: Node) -> Sent:
        pod = probe_of(context, node)
        mtu, evidence = ask(context, pod, ["links"], lambda text: int(parse(text)["mtu"]["eth0"]))
        passed, others = 0, len(addresses.keys() - {node.name})
        for name, address in addresses.items():
            if name != node.name:
                words = ["pmtu", "-size", str(mtu), f"{address}:{PORT}"]
                outcome, evidence = ask(context, pod, words, lambda text: str(parse(text)["outcome"]))
                passed += outcome == "passed"
        return Sent(passed, others - passed, evidence)

    remedy = "compare the MTU of the underlay on all nodes; then restart flanneld on this one"
    return Watch(LINE, ("Ip.FragFails", "Ip.FragCreates"), traffic, remedy).run(context)


CHECK = Check(
    LINE.code,
    "no packet is cut or refused for its size",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.COUNTER,
)
