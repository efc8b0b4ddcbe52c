"""Measures what kube-proxy costs on each side: requests/s and processor time a request through a Service.

The same program asks the same program on both sides, through a cluster address, from one pod, over the same
number of kept connections, a closed loop; sides take turns, and the median of the turns is kept. Processor
time is that of every machine of the cluster (all of /proc/stat but idle and wait), with what the machines use
while nothing is asked taken off. Nodes that share a kernel count as one machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Kube
from tasks.facts.kube_proxy import METRICS
from tasks.facts.probe import NAMESPACE, PROGRAM, SERVICE, Cpu, Load, parse_cpu, parse_got, parse_load
from tasks.networks.probe import Probes

T = TypeVar("T")
CONNECTIONS = 32
SECONDS = 2.0
ROUNDS = 3
IDLE_S = 1.0


@dataclass(frozen=True)
class Side:
    """One cluster with its probe pods; `name` is the data plane's mode (`userspace`, `iptables`)."""

    name: str
    kube: Kube
    probes: Probes


@dataclass(frozen=True)
class Turn:
    """One measurement of one side."""

    requests_per_s: float
    cpu_us_per_request: float
    connections_per_s: float
    p50_ms: float
    p99_ms: float


def measure(
    sides: Sequence[Side],
    clock: Clock,
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    connections: int = CONNECTIONS,
    on_turn: Callable[[str, int], None] = lambda *_: None,
) -> dict[str, dict[str, float]]:
    """Per side the medians: requests_per_s, cpu_us_per_request, connections_per_s, p50_ms, p99_ms, turns.

    Raises ServiceFailed where a request fails: a data plane that loses requests has no throughput to compare.
    """
    turns: dict[str, list[Turn]] = {side.name: [] for side in sides}
    for number in range(rounds):
        # The order turns round each time, so that a drift of the machine falls on both.
        for side in sides if number % 2 == 0 else reversed(sides):
            on_turn(side.name, number)
            turns[side.name].append(_turn(side, clock, seconds, connections))
    return {name: _medians(own) for name, own in turns.items()}


def mode_of(kube: Kube, probes: Probes) -> str:
    """The mode in which a cluster's kube-proxy says that it runs, on every node. Raises ServiceFailed where
    nodes differ or one does not say."""
    said = {
        node: _ask(kube, pod, ["get", f"{METRICS}/proxyMode"], parse_got)
        for node, pod in probes.nodes.items()
    }
    modes = {got.body if got.status == 200 else got.error for got in said.values()}
    if len(modes) != 1 or any(got.status != 200 for got in said.values()):
        raise ServiceFailed(
            kube.name, f"kube-proxy's mode is not one on all nodes: {', '.join(sorted(modes))}"
        )
    return modes.pop()


def _medians(turns: Sequence[Turn]) -> dict[str, float]:
    found = {
        name: round(statistics.median(getattr(turn, name) for turn in turns), 3)
        for name in Turn.__dataclass_fields__
    }
    return found | {"turns": float(len(turns))}


def _turn(side: Side, clock: Clock, seconds: float, connections: int) -> Turn:
    service = side.kube.get("v1", "Service", SERVICE, namespace=NAMESPACE)
    if service is None:
        raise ServiceFailed(f"{side.kube.name}: {NAMESPACE}/{SERVICE}", "the probe's Service is missing")
    url = f"http://{service['spec']['clusterIP']}/"
    asker = side.probes.pods[sorted(side.probes.pods)[0]]
    words = ["load", "-c", str(connections), "-seconds", f"{seconds:g}", url]

    start = clock.now()
    idle_from = _machines(side)
    clock.sleep(IDLE_S)
    idle_to = _machines(side)
    idle_s = (clock.now() - start).total_seconds()
    idle_us_per_s = _busy(idle_from, idle_to) / idle_s

    start = clock.now()
    before = _machines(side)
    load = _ask(side.kube, asker, words, parse_load, timeout_s=seconds + 30)
    after = _machines(side)
    took_s = (clock.now() - start).total_seconds()
    _no_errors(side, load)
    words = ["load", "-fresh", "-c", str(connections), "-seconds", f"{seconds / 2:g}", url]
    fresh = _ask(side.kube, asker, words, parse_load, timeout_s=seconds + 30)
    busy_us = max(_busy(before, after) - idle_us_per_s * took_s, 0.0)
    return Turn(
        load.requests_per_s,
        busy_us / load.requests,
        fresh.requests_per_s,
        load.p50_ms,
        load.p99_ms,
    )


def _no_errors(side: Side, load: Load) -> None:
    if load.errors or not load.requests:
        asked = load.requests + load.errors
        what = f"{load.errors} of {asked} requests through the Service failed: {load.error}"
        raise ServiceFailed(side.kube.name, what, "run network again, and look at its KP findings")


def _machines(side: Side) -> dict[str, Cpu]:
    """Each machine's processor time; of nodes that share a kernel, one."""
    found = [_ask(side.kube, pod, ["cpu"], parse_cpu) for pod in side.probes.nodes.values()]
    return {cpu.boot: cpu for cpu in found}


def _busy(before: Mapping[str, Cpu], after: Mapping[str, Cpu]) -> float:
    return float(sum(after[boot].busy_us - before[boot].busy_us for boot in before if boot in after))


def _ask(kube: Kube, pod: str, words: Sequence[str], parse: Callable[[str], T], timeout_s: float = 20.0) -> T:
    argv = [PROGRAM, *words]
    output = kube.execute(NAMESPACE, pod, argv, timeout_s=timeout_s)
    if not output.ok:
        raise ServiceFailed(f"{kube.name}: {pod}", f"`{' '.join(argv)}`: {output.stderr[:300]}")
    try:
        return parse(output.stdout)
    except (ValueError, KeyError) as error:
        raise ServiceFailed(f"{kube.name}: {pod}", f"answered something else: {error}") from None
