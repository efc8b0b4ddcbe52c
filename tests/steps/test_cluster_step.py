"""The cluster is judged when its API knows every node, or after a minute in any case."""

from __future__ import annotations

from datetime import timedelta

from tasks.steps.cluster import REGISTERED_WITHIN_S, await_registered
from tests.networks.cluster import MemoryKube, StillClock


def test_it_waits_for_a_node_that_registers_late_and_not_for_ever() -> None:
    kube, clock = MemoryKube(), StillClock()
    kube.put({"kind": "Node", "metadata": {"name": "oslo-1"}})
    started = clock.now()
    await_registered(kube, clock, ["oslo-1"])
    assert clock.now() == started
    await_registered(kube, clock, ["oslo-1", "oslo-2"])
    assert clock.now() - started > timedelta(seconds=REGISTERED_WITHIN_S)
