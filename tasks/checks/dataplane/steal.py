"""DP-STEAL: no neighbour takes the processors away."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import cpu

LIMIT = 0.02
WINDOW_S = 1.0
LINE = Line("DP-STEAL", f"steal below {LIMIT:.0%} of the processor time")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, over a window of a second."""

    def judge(node: Node, host: Host) -> Finding:
        window, evidence = read(context, host, cpu.ask(WINDOW_S))
        if window.total <= 0:
            return LINE.says(Verdict.NODATA, node.name, "no processor time passed", evidence, "run it again")
        what = f"{window.steal:.2%} of {WINDOW_S:g} s stolen"
        remedy = "ask the provider for dedicated cores, or move the node to a host that is not overcommitted"
        return LINE.judged(window.steal < LIMIT, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "no processor time is stolen", "dataplane", LINE.severity, run)
