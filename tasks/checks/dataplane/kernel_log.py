"""CT-LOG: the kernel has not said that a table is full.

It tells of any time since the boot: what is full now, the table's own check names.
"""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.command import Command
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check, Layer
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked

WORDS = ("table full", "neighbor table overflow", "neighbour: arp_cache: neighbor table overflow")
LINE = Line("CT-LOG", "dmesg has no `table full` and no neighbour table overflow")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node; an empty log was not read, which is no pass."""

    def judge(node: Node, host: Host) -> Finding:
        log, evidence = read(context, host, Asked("kernel log", Command.of("dmesg"), str.splitlines))
        if not log:
            what = "the kernel's log is empty here: the node is no machine with a kernel of its own"
            return LINE.says(
                Verdict.WARN, node.name, what, evidence, "read dmesg on the machine that runs it"
            )
        full = [line for line in log if any(word in line for word in WORDS)]
        remedy = "raise net.netfilter.nf_conntrack_max, or net.ipv4.neigh.default.gc_thresh1..3"
        what = full[-1][:200] if full else f"none in {len(log)} lines"
        return LINE.judged(not full, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "the kernel reports no full table", "dataplane", LINE.severity, run, layer=Layer.LOG)
