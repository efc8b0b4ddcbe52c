"""What a Service costs on a node of the bed: rates, processor time, and kube-proxy's own work."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.service_bed import plane
from benchmarks.service_bed.node import ProxyNode

CONNECTIONS = 32
CHANGES = 5
ASKED = 300
SETTLE_S = 1.5  # kube-proxy gathers changes for a second (its minSyncPeriod)


@dataclass(frozen=True)
class Cost:
    """Of one turn: `kept` on kept connections, `fresh` with a new connection for each request."""

    requests_per_s: float
    request_us: float  # processor time of client, backends and kube-proxy
    connections_per_s: float
    connection_us: float


@dataclass(frozen=True)
class Sync:
    """What kube-proxy does when an endpoint of one Service comes or goes."""

    sync_ms: float  # writing the rules, as it counts itself
    cpu_ms: float  # processor time of it and of the programs that it runs


def turn(node: ProxyNode, number: int, seconds: float) -> Cost:
    """Ask one of the node's Services. Raises RuntimeError where a request fails."""
    kept = _load(node, node.url(number), seconds)
    fresh = _load(node, node.url(number), seconds, "-fresh")
    return Cost(*kept, *fresh)


def fresh(node: ProxyNode, url: str, seconds: float) -> tuple[float, float]:
    """New connections a second to a URL, and the processor time of one (us)."""
    return _load(node, url, seconds, "-fresh")


def lost_percent(node: ProxyNode) -> float:
    """How many of the new connections fail while one backend is dead and nobody has said so."""
    node.backends[-1].end()
    try:
        words = ["hits", "-n", str(ASKED), "-c", "8", "-timeout", "2", node.url(0)]
        answer = node.probe(node.client, *words)
    finally:
        node.backends[-1] = node.start_backend(len(node.backends) - 1)
    return 100 * int(str(answer["errors"])) / ASKED


def _load(node: ProxyNode, url: str, seconds: float, *words: str) -> tuple[float, float]:
    theirs, before = node.cpu_us(), _children_us()
    answer = node.probe(node.client, "load", *words, "-c", str(CONNECTIONS), "-seconds", f"{seconds:g}", url)
    busy = node.cpu_us() - theirs + _children_us() - before
    if answer["errors"]:
        raise RuntimeError(f"{node.mode}: {answer['errors']} requests failed: {answer['error']}")
    return float(str(answer["requests_per_s"])), busy / int(str(answer["requests"]))


def _children_us() -> int:
    """Processor time of programs that ran and ended: of the load, between two readings."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e6)


def sync_costs(nodes: Sequence[ProxyNode], service: str, ends: Sequence[str]) -> dict[str, Sync]:
    """Take an endpoint of a Service away and give it back, and see what every kube-proxy does about it."""
    time.sleep(2 * SETTLE_S)
    api = plane.Api()
    before = {node.mode: (*_synced(node), node.proxy.cpu_us()) for node in nodes if node.proxy}
    path = f"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/{service}"
    for change in range(CHANGES):
        there = ends[: len(ends) - 1 + change % 2]
        endpoints = [{"addresses": [end], "conditions": {"ready": True}} for end in there]
        api.ask("PATCH", path, {"endpoints": endpoints}, "application/merge-patch+json")
        time.sleep(SETTLE_S)
    api.close()
    found = {}
    for node in nodes:
        if node.proxy:
            total_s, count, cpu_us = before[node.mode]
            now_s, now_count = _synced(node)
            if now_count == count:
                raise RuntimeError(f"{node.mode}: kube-proxy wrote no rules in {CHANGES} changes")
            found[node.mode] = Sync(
                (now_s - total_s) * 1000 / (now_count - count),
                (node.proxy.cpu_us() - cpu_us) / 1000 / CHANGES,
            )
    return found


def first_sync_s(node: ProxyNode) -> float:
    """Seconds that a kube-proxy that has just started needs to write all rules. Raises TimeoutError."""
    node.start_proxy()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        time.sleep(0.5)
        total_s, count = _synced(node)
        if count:
            return total_s / count
    raise TimeoutError(f"{node.mode}: no rules after 120 s")


def _synced(node: ProxyNode) -> tuple[float, int]:
    """Seconds and number of all writings of IPv4 rules since kube-proxy started; (0, 0) while it starts."""
    answer = node.probe(node.name, "get", "http://127.0.0.1:10249/metrics")
    prefix = "kubeproxy_sync_proxy_rules_duration_seconds"
    found = {"sum": 0.0, "count": 0.0}
    for line in str(answer["body"]).splitlines():
        for name in found:
            if line.startswith(f'{prefix}_{name}{{ip_family="IPv4"}}'):
                found[name] = float(line.split()[-1])
    return found["sum"], int(found["count"])


def median(values: Sequence[float]) -> float:
    """The median."""
    return float(statistics.median(values))
