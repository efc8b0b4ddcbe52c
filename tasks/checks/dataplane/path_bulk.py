"""PATH-BULK: much data over one connection crosses nodes through a Service, where small packets always do."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.service_paths import cluster_address, endpoints_of_probe, enough
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.probe import Bulk, parse_bulk

BYTES = 1 << 20
TIMEOUT_S = 3.0
LINE = Line("PATH-BULK", f"{BYTES >> 20} MiB arrives over one connection from every endpoint of a Service")


def fetch(context: DataPlane, node: Node) -> tuple[Bulk, Evidence]:
    """Bulk data through the probe's Service, until every endpoint has sent some or one stalls.

    It is asked from the node's own network: masqueraded packets are where the VXLAN checksum bug strikes.
    """
    wanted = len(endpoints_of_probe(context))
    words = ["bulk", "-bytes", str(BYTES), "-timeout", f"{TIMEOUT_S:g}"]
    words += ["-want", str(wanted), "-most", str(enough(wanted)), f"{cluster_address(context)}:80"]
    return ask(context, node_probe_of(context, node), words, parse_bulk)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    wanted = endpoints_of_probe(context)

    def judge(node: Node, _: Host) -> Finding:
        bulk, evidence = fetch(context, node)
        missed = sorted(wanted - bulk.by.keys())
        what = f"{len(bulk.by)} endpoints, {bulk.mbit_per_s:.0f} Mbit/s at least"
        if bulk.error:
            what = f"stalled after {bulk.bytes} of {BYTES} bytes: {bulk.error}"
        elif missed:
            what = f"never met {', '.join(missed)}"
        remedy = "where FL-CSUM fails as well, its remedy; else compare the MTU of the underlay (FL-PMTU)"
        return LINE.judged(not bulk.error and not missed, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "bulk data crosses nodes", "dataplane", LINE.severity, run, layer=Layer.USE)
