"""DP-RPF-DROPS: reverse-path filtering drops nothing while pods reach each other.

DP-RPF reads the two settings that matter most; this sees a drop whichever interface is strict, and so an
asymmetric route: packets that come in by another way than the answer would take.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding, Severity
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import Sent, Watch
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, probe_addresses, probe_of
from tasks.checks.registry import Check, Layer
from tasks.facts.probe import PORT, parse_dialled

LINE = Line("DP-RPF-DROPS", "IPReversePathFilter does not rise while pods and nodes ask pods", Severity.HIGH)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, about what it dropped."""
    ends = [f"{address}:{PORT}" for address in probe_addresses(context).values()]

    def traffic(node: Node) -> Sent:
        words = ["udp", "-timeout", "0.3", *ends]
        found, evidence = ask(context, probe_of(context, node), words, parse_dialled)
        more, _ = ask(context, node_probe_of(context, node), words, parse_dialled)
        answered = sum(each.ok for each in (*found, *more))
        return Sent(answered, 2 * len(ends) - answered, evidence)

    remedy = (
        "`ip route get ADDRESS from POD iif flannel.1` on this node shows the way back; mend the route or "
        "rule that leads elsewhere, or sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2"
    )
    return Watch(LINE, ("TcpExt.IPReversePathFilter",), traffic, remedy).run(context)


CHECK = Check(
    LINE.code, "reverse-path filtering drops nothing", "dataplane", LINE.severity, run, layer=Layer.COUNTER
)
