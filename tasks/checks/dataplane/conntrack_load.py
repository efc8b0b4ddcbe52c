"""CT-HEADROOM: connection tracking has room while connections are made; a full table drops silently."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
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
    """One finding a node. How it stands under the shop's own load is watched during the replay."""
    url = virtual_url(context)

    def judge(node: Node, host: Host) -> Finding:
        words = ["hits", "-n", str(CONNECTIONS), "-c", "32", "-timeout", "0.5", "-stop", "64", url]
        _, of_load = ask(context, node_probe_of(context, node), words, parse_hits)
        table, evidence = read(context, host, conntrack.ask())
        if table.max is None or table.count is None:
            what = "nf_conntrack_count or nf_conntrack_max is not visible here"
            remedy = "read both on the machine that runs this node"
            return LINE.says(Verdict.WARN, node.name, what, (of_load, evidence), remedy)
        ratio = table.count / table.max
        what = f"{table.count} of {table.max} ({ratio:.1%})"
        remedy = f"sysctl -w net.netfilter.nf_conntrack_max={2 * table.max}"
        verdict = Verdict.PASS if ratio < LIMIT else Verdict.FAIL
        return LINE.says(verdict, node.name, what, (of_load, evidence), remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "connection tracking has room", "dataplane", LINE.severity, run)
