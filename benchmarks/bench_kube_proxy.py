"""kube-proxy's modes beside each other in one run, and what thousands of Services cost in two of them.

Real programs: kube-proxy 1.25.16 (userspace) and 1.37 (iptables, nftables), and one API server. Modes take
turns, and the median is kept. A turn's processor time is that of the client, the backends and kube-proxy: all
work of the kernel on their packets is in it, and nothing of what else the machine does.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.service_bed import load, plane
from benchmarks.service_bed.bed import standing
from benchmarks.service_bed.load import Cost, median
from benchmarks.service_bed.node import BACKENDS, ProxyNode
from benchmarks.table import Row, show
from rehearsal import parts

ROUNDS = 5
SECONDS = 2.0
AMONG = (1000, 5000)  # Services
GOAL = 1.3  # the article: the API answers 30 % faster


class Steps:
    """Progress on stderr."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See `rehearsal.parts.Steps`."""
        sys.stderr.write(f"\r\x1b[K{text}" + (f" {done}/{total}" if total else ""))
        sys.stderr.flush()


def main() -> int:
    """Measure, print, keep."""
    steps = Steps()
    programs = parts.build(steps)
    with tempfile.TemporaryDirectory() as name:
        modes = ("userspace", "masquerade", "iptables", "nftables")
        steps.step("raising an API server and three nodes")
        with standing(Path(name), programs, modes) as nodes:
            rows = _modes(nodes, steps)
            for node in nodes[:2]:
                node.end_proxy()  # in userspace mode 5,000 Services take minutes, and that is not in question
            rows += _many(nodes[2:], steps)
    sys.stderr.write("\n")
    show("kube_proxy", rows)
    return 0


def _modes(nodes: list[ProxyNode], steps: Steps) -> list[Row]:
    turns: dict[str, list[Cost]] = defaultdict(list)
    for number in range(ROUNDS):
        for node in _turned(nodes, number):
            steps.step(f"{node.mode}, turn", number + 1, ROUNDS)
            turns[node.mode].append(load.turn(node, number, SECONDS))

    def of(mode: str, figure: Callable[[Cost], float]) -> float:
        return median([figure(each) for each in turns[mode]])

    how = (
        f"median of {ROUNDS} turns of {SECONDS:g} s, {load.CONNECTIONS} connections through a Service with "
        f"{BACKENDS} backends"
    )
    subjects: tuple[tuple[str, str, Callable[[Cost], float], str], ...] = (
        ("requests/s", "1/s", lambda cost: cost.requests_per_s, f">= {GOAL}x"),
        ("new connections/s", "1/s", lambda cost: cost.connections_per_s, ""),
        ("processor time a request", "us", lambda cost: cost.request_us, "< 1x"),
        ("processor time a new connection", "us", lambda cost: cost.connection_us, "< 1x"),
    )
    rows = []
    for mode, peer in (("iptables", "userspace"), ("nftables", "iptables"), ("masquerade", "iptables")):
        for what, unit, figure, goal in subjects:
            row = Row(f"{what}, {mode}", unit, of(mode, figure), how, peer, of(peer, figure))
            if goal and peer == "userspace":
                met = (row.ratio or 0) >= GOAL if unit == "1/s" else (row.ratio or 9) < 1
                row = Row(row.what, unit, row.ours, how, peer, row.peer_value, goal, met)
            rows.append(row)
    lost = {node.mode: load.lost_percent(node) for node in nodes}
    dead = f"{load.ASKED} connections, one of {BACKENDS} backends dead and still among the endpoints"
    rows += [Row(f"connections lost to a dead backend, {mode}", "%", lost[mode], dead) for mode in lost]
    return rows


def _many(nodes: list[ProxyNode], steps: Steps) -> list[Row]:
    """nftables beside iptables with no other Service, and among thousands."""
    rows: list[Row] = []
    there = 0
    for count in (0, *AMONG):
        if count:
            steps.step(f"making {count} Services")
            plane.add_services(there, count)
            there = count
        first = {node.mode: 1000 * load.first_sync_s(node) for node in nodes}
        for node in nodes:
            node.await_answers()
        syncs = load.sync_costs(nodes, f"{nodes[0].mode}-0", nodes[0].pods)
        fresh: dict[str, list[float]] = defaultdict(list)
        past: dict[str, list[float]] = defaultdict(list)
        for number in range(ROUNDS):
            for node in _turned(nodes, number):
                steps.step(f"{node.mode} among {count} Services, turn", number + 1, ROUNDS)
                fresh[node.mode].append(load.fresh(node, node.url(number), SECONDS / 2)[1])
                past[node.mode].append(load.fresh(node, node.pod_url, SECONDS / 2)[1])
        turns = f"processor time, median of {ROUNDS} turns, each through another Service"
        changes = f"mean of {load.CHANGES} changes of one endpoint"
        figures: tuple[tuple[str, str, dict[str, float], str], ...] = (
            ("a new connection", "us", {mode: median(all_) for mode, all_ in fresh.items()}, turns),
            (
                "a connection to no Service",
                "us",
                {mode: median(all_) for mode, all_ in past.items()},
                "to a pod itself",
            ),
            ("writing a change", "ms", {mode: sync.sync_ms for mode, sync in syncs.items()}, changes),
            (
                "processor time of a change",
                "ms",
                {mode: sync.cpu_ms for mode, sync in syncs.items()},
                changes,
            ),
            ("writing all rules", "ms", first, "at kube-proxy's start"),
        )
        rows += [
            Row(f"{what} among {count:,}, nftables", unit, of["nftables"], how, "iptables", of["iptables"])
            for what, unit, of, how in figures
        ]
    return rows


def _turned(nodes: list[ProxyNode], number: int) -> list[ProxyNode]:
    """Another one is first in each round, so that a drift of the machine falls on all."""
    at = number % len(nodes)
    return [*nodes[at:], *nodes[:at]]


if __name__ == "__main__":
    sys.exit(main())
