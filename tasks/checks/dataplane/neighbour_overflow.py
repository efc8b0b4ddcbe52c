"""DP-ARP: the neighbour table refuses no entry.

Where it refuses the loopback's, too, kubelet runs no program in a pod: the table is judged all the same.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, probe_addresses, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.errors import OutsideError, Unasked
from tasks.drivers.ports import Host
from tasks.facts import neighbour_cache
from tasks.facts.probe import PORT, parse_dialled

LINE = Line("DP-ARP", "table_fulls of the neighbour table does not rise while the node asks every pod")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; the statistics exist in the initial network namespace only: elsewhere a warning.

    Without probes the node asks nobody: what has overflown since the boot is what there is to see.
    """
    ends = []
    if not context.without_probes:
        ends = [f"{address}:{PORT}" for address in probe_addresses(context).values()]

    def asked(node: Node) -> tuple[list[Evidence], OutsideError | None]:
        if not ends:
            return [], None
        try:
            return [ask(context, node_probe_of(context, node), ["tcp", *ends], parse_dialled)[1]], None
        except Unasked:
            raise
        except OutsideError as error:
            return [], error

    def judge(node: Node, host: Host) -> Finding:
        before, of_before = read(context, host, neighbour_cache.ask())
        of_traffic, unheard = asked(node)
        after, of_after = read(context, host, neighbour_cache.ask())
        evidence = (of_before, *of_traffic, of_after)
        if before is None or after is None:
            what = f"{neighbour_cache.FILE} is not visible here: the node is no machine with its own kernel"
            remedy = f"read {neighbour_cache.FILE} on the machine that runs this node"
            return LINE.says(Verdict.WARN, node.name, what, evidence, remedy)
        risen = after.table_fulls - before.table_fulls
        if unheard is not None and not risen:
            raise unheard
        what = f"table_fulls +{risen} ({after.table_fulls} since the boot), {after.entries} entries"
        what += f"; its probe did not answer: {unheard.what}" if unheard is not None else ""
        remedy = (
            "raise net.ipv4.neigh.default.gc_thresh1..3 (see DP-NEIGH; the kernel profile sets all three)"
        )
        verdict = Verdict.FAIL if risen else Verdict.WARN if after.table_fulls else Verdict.PASS
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "the neighbour table overflows nowhere", "dataplane", LINE.severity, run, layer=Layer.COUNTER
)
