"""FL-CSUM: what the overlay sends arrives with a right checksum.

Some kernels and network cards compute the outer UDP checksum of VXLAN packets wrongly once they were
masqueraded or are large: the other node drops them unseen, and bulk TCP through a Service stalls while ping
works. The receiver counts each in `Udp.InCsumErrors`.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import Sent, Watch
from tasks.checks.dataplane.flannel_only import backend, on_flannel
from tasks.checks.dataplane.observing import Line
from tasks.checks.dataplane.path_bulk import fetch
from tasks.checks.dataplane.service_paths import cluster_address
from tasks.checks.registry import Check, Layer

LINE = Line(
    "FL-CSUM", "no UDP packet with a wrong checksum arrives while bulk data crosses nodes", Severity.CRITICAL
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, about what it received."""
    port = context.site.target.cluster.network.port
    cluster_address(context)  # without the probes' Service nothing is sent, so nothing is counted either
    link = backend(context).link or "flannel's link"

    def traffic(node: Node) -> Sent:
        bulk, evidence = fetch(context, node)
        return Sent(sum(bulk.by.values()), int(bool(bulk.error)), evidence)

    remedy = (
        f"`tcpdump -vv udp port {port}` shows `bad udp cksum` and who sends it; declare "
        "target.cluster.network.vxlan_checksum_off: true and run network again: it sets ethtool -K "
        f"{link} tx-checksum-ip-generic off and keeps it so (bulk throughput falls to 0.24x)"
    )
    return Watch(LINE, ("Udp.InCsumErrors",), traffic, remedy).run(context)


CHECK = Check(
    LINE.code,
    "the overlay's checksums are right",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.COUNTER,
)
