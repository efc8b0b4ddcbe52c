"""What the kernels count while packets pass: read on every node, let every node send, read again.

A counter says why packets were lost, where a path only says that they were. It is judged by how it rises
meanwhile: what it counted since the boot may be long mended. A rise beside which nothing was lost is a
warning: a node on the Internet counts strangers' packets as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from inventory.models.cluster import Node
from inventory.models.finding import Evidence, Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, read
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts import counters

T = TypeVar("T")


@dataclass(frozen=True)
class Sent:
    """What one node sent: how many answers came back, how many did not."""

    answered: int
    lost: int
    evidence: Evidence


Traffic = Callable[[Node], Sent]


@dataclass(frozen=True)
class Watch:
    """Counters (`Udp.InCsumErrors`) that must not rise on any node while `traffic` runs on all of them."""

    line: Line
    names: Sequence[str]
    traffic: Traffic
    remedy: str

    def run(self, context: DataPlane) -> list[Finding]:
        """One finding a node; where nothing came back nothing was observed, which is no pass."""
        nodes = [node for node in context.site.target.nodes if node.name in context.hosts]
        before = on_all(nodes, lambda node: read(context, context.hosts[node.name], counters.ask()))
        sent = on_all(nodes, self.traffic)
        after = on_all(nodes, lambda node: read(context, context.hosts[node.name], counters.ask()))

        # Who drops is not who misses the answer: what any node lost counts.
        lost = sum(each.lost for each in sent.values() if isinstance(each, Sent))

        def judge(node: Node, _: Host) -> Finding:
            (was, of_before), mine = got(before[node.name]), got(sent[node.name])
            now, of_after = got(after[node.name])
            evidence = (of_before, mine.evidence, of_after)
            risen = {name: now[name] - was[name] for name in self.names}
            what = ", ".join(f"{name} +{rise}" for name, rise in risen.items())
            what += f" while {mine.answered} answers came here and {lost} were lost on all nodes"
            if any(risen.values()):
                verdict = Verdict.FAIL if lost else Verdict.WARN
                return self.line.says(verdict, node.name, what, evidence, self.remedy)
            if not mine.answered:
                return self.line.says(Verdict.NODATA, node.name, what, evidence, "mend the paths first")
            return self.line.says(Verdict.PASS, node.name, what, evidence)

        return self.line.on_each(context, judge)


def on_all(nodes: Sequence[Node], do: Callable[[Node], T]) -> dict[str, T | OutsideError]:
    """Do it on every node at once; what could not be done is the error that says why."""

    def one(node: Node) -> T | OutsideError:
        try:
            return do(node)
        except OutsideError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        return dict(zip([node.name for node in nodes], pool.map(one, nodes), strict=True))


def got(value: T | OutsideError) -> T:
    """The value. Raises the error that is there instead."""
    if isinstance(value, OutsideError):
        raise value
    return value
