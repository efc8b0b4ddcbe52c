"""CT-HEADROOM: connection tracking has room while connections are made; a full table drops silently."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, read
from tasks.checks.dataplane.service_paths import virtual_url
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import conntrack
from tasks.facts.probe import parse_hits

LIMIT = 0.7
CONNECTIONS = 300
LINE = Line("CT-HEADROOM", f"count/max below {LIMIT:g} right after {CONNECTIONS} new connections")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node. How it stands under the shop's own load is watched during the replay.

    Without probes no connections are made: what is judged is the table under whatever runs there.
    """
    url = "" if context.without_probes else virtual_url(context)

    def load(node: Node) -> list[Evidence]:
        if context.without_probes:
            return []
        words = ["hits", "-n", str(CONNECTIONS), "-c", "32", "-timeout", "0.5", "-stop", "64", url]
        return [ask(context, node_probe_of(context, node), words, parse_hits)[1]]

    def judge(node: Node, host: Host) -> Finding:
        of_load = load(node)
        table, of_table = read(context, host, conntrack.ask())
        evidence = (*of_load, of_table)
        if table.max is None or table.count is None:
            what = "nf_conntrack_count or nf_conntrack_max is not visible here"
            remedy = "read both on the machine that runs this node"
            return LINE.says(Verdict.WARN, node.name, what, evidence, remedy)
        ratio = table.count / table.max
        what = f"{table.count} of {table.max} ({ratio:.1%})" + ("" if of_load else ", with no load of ours")
        remedy = f"sysctl -w net.netfilter.nf_conntrack_max={2 * table.max}"
        verdict = Verdict.PASS if ratio < LIMIT else Verdict.FAIL
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "connection tracking has room", "dataplane", LINE.severity, run)
