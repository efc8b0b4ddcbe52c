"""Watches the target under load: connection tracking and steal of every node, readiness of the shop."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from inventory.models.site import Workload
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host, Kube
from tasks.facts import conntrack, cpu
from tasks.facts.gather import gather
from tasks.gates.capacity import NodeSeen

WINDOW_S = 1.0
_TABLE, _STEAL = conntrack.ask(), cpu.ask(WINDOW_S)
SOURCE = f"{_TABLE.command}; {_STEAL.command}"


@dataclass
class NodeWatch:
    """What one node showed, reading after reading; `error` is what ended it early."""

    tables: list[conntrack.Conntrack] = field(default_factory=list)
    windows: list[cpu.CpuWindow] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    error: str = ""

    def read(self, host: Host) -> None:
        """One reading, about a second long. Raises what the host raises."""
        facts = gather(host, (_TABLE, _STEAL))
        self.tables.append(facts.of(_TABLE))
        self.windows.append(facts.of(_STEAL))
        self.raw += facts.answers.values()

    def seen(self, node: str) -> NodeSeen:
        """The worst of it. A node that stopped answering under load has shown nothing that can be judged."""
        if self.error or not self.tables:
            return NodeSeen(node, None, None, None)
        return NodeSeen(node, self._share(), self._refused(), self._steal_p95())

    def _share(self) -> float | None:
        shares = [t.count / t.max for t in self.tables if t.max and t.count is not None]
        return max(shares) if len(shares) == len(self.tables) else None

    def _refused(self) -> int | None:
        first, last = self.tables[0].refused, self.tables[-1].refused
        if first is None or last is None:
            return None
        risen = sum(last.values()) - sum(first.values())
        return risen if risen >= 0 else None  # the counters began anew: the node was restarted

    def _steal_p95(self) -> float | None:
        shares = sorted(window.steal for window in self.windows if window.total > 0)
        return shares[math.ceil(0.95 * len(shares)) - 1] if len(shares) == len(self.windows) else None


class LoadWatch:
    """Reads every node once before the block, again and again inside it, and once more after it."""

    def __init__(self, hosts: Mapping[str, Host], kube: Kube, workload: Workload) -> None:
        self._hosts, self._kube, self._workload = hosts, kube, workload
        self._over = threading.Event()
        self.nodes = {name: NodeWatch() for name in hosts}
        self.not_ready: tuple[str, ...] | None = ()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(len(self._hosts) + 1, thread_name_prefix="watch")
        begun = [self._pool.submit(self._once, name) for name in self._hosts]
        for each in begun:
            each.result()
        self._watching: Sequence[Future[None]] = [
            self._pool.submit(self._readiness),
            *(self._pool.submit(self._node, name) for name in self._hosts),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._pool.shutdown()
        if kind is None:
            for each in self._watching:
                each.result()

    def seen(self) -> tuple[NodeSeen, ...]:
        """Every node, once the block is over."""
        return tuple(watch.seen(name) for name, watch in self.nodes.items())

    def _once(self, name: str) -> None:
        watch = self.nodes[name]
        try:
            watch.read(self._hosts[name])
        except OutsideError as error:
            watch.error = str(error)

    def _node(self, name: str) -> None:
        while not self.nodes[name].error:
            last = self._over.is_set()
            self._once(name)
            if last:
                return

    def _readiness(self) -> None:
        missing: set[str] = set()
        while True:
            last = self._over.is_set()
            try:
                missing |= set(not_ready(self._kube, self._workload))
            except OutsideError:
                self.not_ready = None
                return
            if last:
                self.not_ready = tuple(sorted(missing))
                return
            self._over.wait(WINDOW_S)


def not_ready(kube: Kube, workload: Workload) -> list[str]:
    """The shop's Deployment where a replica is not ready, and every node that is not. Raises OutsideError."""
    found = []
    name = f"deployment/{workload.deployment}"
    deployment = kube.get("apps/v1", "Deployment", workload.deployment, namespace=workload.namespaces[0])
    wanted = (deployment or {}).get("spec", {}).get("replicas", 1)
    ready = (deployment or {}).get("status", {}).get("readyReplicas", 0)
    if deployment is None or ready < wanted:
        found.append(f"{name} ({ready} of {wanted})")
    for node in kube.list("v1", "Node"):
        conditions = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", ())}
        if conditions.get("Ready") != "True":
            found.append(f"node/{node['metadata']['name']}")
    return found
