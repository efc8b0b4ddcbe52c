"""CT-DROPS: connection tracking refuses nothing while connections are made."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of, read
from tasks.checks.dataplane.service_paths import virtual_url
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts import conntrack
from tasks.facts.probe import parse_hits

CONNECTIONS = 300
LINE = Line("CT-DROPS", "insert_failed, drop and early_drop do not rise while connections are made")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node."""
    url = virtual_url(context)

    def judge(node: Node, host: Host) -> Finding:
        before, of_before = read(context, host, conntrack.ask())
        words = ["hits", "-n", str(CONNECTIONS), "-c", "32", "-timeout", "0.5", "-stop", "64", url]
        _, of_load = ask(context, node_probe_of(context, node), words, parse_hits)
        after, of_after = read(context, host, conntrack.ask())
        evidence = (of_before, of_load, of_after)
        if before.refused is None or after.refused is None:
            what = "/proc/net/stat/nf_conntrack is not there"
            return LINE.says(
                Verdict.WARN, node.name, what, evidence, "compare `conntrack -S` before and after"
            )
        risen = {name: after.refused[name] - before.refused[name] for name in conntrack.REFUSALS}
        what = (
            ", ".join(f"{name} +{count}" for name, count in risen.items()) + f" in {CONNECTIONS} connections"
        )
        remedy = "raise net.netfilter.nf_conntrack_max; insert_failed alone: SNAT without random-fully"
        verdict = Verdict.FAIL if any(risen.values()) else Verdict.PASS
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(
    LINE.code, "connection tracking refuses nothing", "dataplane", LINE.severity, run, layer=Layer.COUNTER
)
