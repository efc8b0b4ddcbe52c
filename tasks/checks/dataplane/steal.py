"""DP-STEAL: no neighbour takes the processors away."""

from __future__ import annotations

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.registry import Check
from tasks.checks.stolen import LIMIT, judge_stolen
from tasks.drivers.ports import Host
from tasks.facts import cpu, virtualization

WINDOW_S = 2.0  # in one second a single processor may count fewer ticks than a share needs
LINE = Line("DP-STEAL", f"steal below {LIMIT:.0%} of the processor time")


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, over a window of `WINDOW_S`."""

    def judge(node: Node, host: Host) -> Finding:
        signs, what_it_is = read(context, host, virtualization.ask())
        window, evidence = read(context, host, cpu.ask(WINDOW_S))
        stolen = judge_stolen(window, signs.container_signs)
        return LINE.says(stolen.verdict, node.name, stolen.observed, (evidence, what_it_is), stolen.remedy)

    return LINE.on_each(context, judge)


CHECK = Check(LINE.code, "no processor time is stolen", "dataplane", LINE.severity, run)
