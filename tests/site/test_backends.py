"""Real flannelds and BIRDs change their backend beneath a load, without a cluster: nothing may be lost.

Two nodes in network namespaces (`benchmarks/network_bed.py`), one changed after the other, then what the old
backend has left is removed as `network` removes it.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.network_bed import NODES, Bed, Pod, bgp, cluster, inside, standing, underlay
from inventory.models.change import Run
from inventory.models.cluster import Network
from rehearsal import parts
from tasks.facts import links, routes, units
from tasks.facts.gather import Facts
from tasks.operations import bird, flannel_leftovers
from tests.operations.network_site import unit_answer
from tests.site.trial import Quiet

pytestmark = [pytest.mark.site, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]

HOST_GW, VXLAN = Network(kind="flannel_host_gw"), Network()


class Load:
    """New connections from each pod to the other until it is ended."""

    def __init__(self, bed: Bed, first: Pod, second: Pod) -> None:
        self._bed, self._ended = bed, threading.Event()
        self.requests, self.failed = 0, list[str]()
        self.now = "before"
        pairs = ((first, second), (second, first))
        self._threads = [threading.Thread(target=self._run, args=pair) for pair in pairs]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, asking: Pod, asked: Pod) -> None:
        while not self._ended.is_set():
            seen = self._bed.ask(asking, "load", "-fresh", "-c", "2", "-seconds", "0.5", asked.url)
            self.requests += seen["requests"]
            if seen["errors"]:
                self.failed.append(f"{self.now}: {seen['errors']} from {asking.netns}: {seen['error']}")


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with standing(parts.build(Quiet()), tmp_path) as made:
        yield made


def leave(bed: Bed, network: Network) -> list[str]:
    """Apply the plans for what is left, one after the other on all nodes; what went."""
    gone = []
    for plan in (flannel_leftovers.plan_before, flannel_leftovers.plan_node):
        for node in NODES:
            for change in plan(node, cluster(network), known(bed, node)):
                gone.append(change.subject)
                if change.subject.startswith("service"):
                    bed.stop(node, "bird")  # there is no systemd here
                    continue
                for action in change.apply:
                    assert isinstance(action, Run)
                    subprocess.run(inside(node, ["sh", "-c", action.command.render()]), check=True)
    return gone


def known(bed: Bed, node: str) -> Facts:
    """The facts that the plans ask for."""
    answers = {
        units.ask((bird.UNIT,)).command.render(): unit_answer(bird.UNIT, running=bed.runs(node, "bird"))
    }
    for command in (links.ask().command.render(), routes.ask().command.render()):
        argv = inside(node, ["sh", "-c", command])
        answers[command] = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return Facts(node, answers)


def test_no_request_is_lost_from_backend_to_backend(bed: Bed) -> None:
    bed.raise_network(VXLAN)
    load = Load(bed, *bed.raise_pods())
    pause = threading.Event()
    gone = {}
    try:
        for network in (HOST_GW, bgp(), HOST_GW, bgp(), VXLAN):
            load.now = f"to {network.kind}"
            bed.raise_network(network, after_each=lambda: pause.wait(0.7) and None)
            load.now = f"leaving what was before {network.kind}"
            gone[load.now] = leave(bed, network)
            pause.wait(0.7)
    finally:
        load.end()
    assert load.failed == []
    assert load.requests > 100
    assert all(gone.values()), "each change leaves something behind"


def test_a_restart_of_bird_takes_no_route_away(bed: Bed) -> None:
    network, pause = bgp(), threading.Event()
    bed.raise_network(network)
    load = Load(bed, *bed.raise_pods())
    try:
        for number, node in enumerate(NODES, 1):
            load.now = f"restarting BIRD on {node}"
            pause.wait(1.5)
            bed.restart_bird(cluster(network), node, underlay(number))
            pause.wait(3)
    finally:
        load.end()
    assert load.failed == []
    assert load.requests > 100
