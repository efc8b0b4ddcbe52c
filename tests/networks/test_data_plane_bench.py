"""The measure: medians of turns, machines counted once, the idle share taken off, no loss accepted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Output
from tasks.networks.data_plane_bench import Side, measure, mode_of
from tasks.networks.probe import Probes
from tests.networks.cluster import MemoryKube, StillClock, said

PROBES = Probes({"a": "pod-a", "b": "pod-b"}, {"a": "node-a", "b": "node-b"})
IDLE_US_PER_S = 100_000


class Machine:
    """Two nodes on `kernels`; a load takes three seconds and `us` of processor time a request."""

    def __init__(
        self, clock: StillClock, rates: list[float], us: float, *, kernels: int = 1, errors: int = 0
    ):
        self.clock, self.rates, self.us, self.kernels, self.errors = clock, rates, us, kernels, errors
        self.busy = 0.0
        self.kube = MemoryKube(self.answer)
        service = {"kind": "Service", "metadata": {"name": "probe", "namespace": "safe-harbor-probe"}}
        self.kube.put(service | {"spec": {"clusterIP": "10.96.0.9"}})

    def answer(self, pod: str, words: Sequence[str]) -> Output:
        if words[0] == "cpu":
            elapsed = (self.clock.now().timestamp()) * IDLE_US_PER_S
            boot = "one" if self.kernels == 1 else pod
            return said(json.dumps({"boot": boot, "busy_us": int(self.busy + elapsed), "cores": 2}))
        fresh = "-fresh" in words
        rate = 100.0 if fresh else self.rates.pop(0)
        self.clock.sleep(3.0)
        requests = int(rate * 3)
        self.busy += requests * self.us
        figures = {"requests": requests, "errors": self.errors, "requests_per_s": rate, "seconds": 3.0}
        return said(json.dumps(figures | {"p50_ms": 1.0, "p99_ms": 2.0, "error": "reset"}))


def test_medians_of_both_sides_and_the_idle_share_is_taken_off() -> None:
    clock = StillClock()
    source = Machine(clock, [1000, 1100, 5000], 200.0)
    target = Machine(clock, [2000, 2400, 2200], 90.0)
    sides = (Side("userspace", source.kube, PROBES), Side("iptables", target.kube, PROBES))
    turns: list[tuple[str, int]] = []
    found = measure(sides, clock, on_turn=lambda side, number: turns.append((side, number)))
    assert found["userspace"]["requests_per_s"] == 1100
    assert found["iptables"]["requests_per_s"] == 2200
    assert found["userspace"]["cpu_us_per_request"] == pytest.approx(200, rel=0.01)
    assert found["iptables"]["cpu_us_per_request"] == pytest.approx(90, rel=0.01)
    assert found["iptables"]["connections_per_s"] == 100
    assert [side for side, _ in turns] == [
        "userspace",
        "iptables",
        "iptables",
        "userspace",
        "userspace",
        "iptables",
    ]


def test_nodes_with_kernels_of_their_own_are_added_up() -> None:
    clock = StillClock()
    machine = Machine(clock, [1000], 100.0, kernels=2)
    found = measure([Side("iptables", machine.kube, PROBES)], clock, rounds=1)
    assert found["iptables"]["cpu_us_per_request"] == pytest.approx(200, rel=0.01)


def test_a_data_plane_that_loses_requests_is_not_measured() -> None:
    clock = StillClock()
    machine = Machine(clock, [1000], 100.0, errors=2)
    with pytest.raises(ServiceFailed, match="2 of 3002 requests through the Service failed: reset"):
        measure([Side("iptables", machine.kube, PROBES)], clock, rounds=1)


@pytest.mark.parametrize(
    ("bodies", "wrong"), [(["userspace", "userspace"], ""), (["userspace", "iptables"], "iptables")]
)
def test_the_mode_is_what_every_node_says(bodies: list[str], wrong: str) -> None:
    said_by = dict(zip(PROBES.nodes.values(), bodies, strict=True))
    kube = MemoryKube(lambda pod, _: said(json.dumps({"status": 200, "body": said_by[pod], "error": ""})))
    if not wrong:
        assert mode_of(kube, PROBES) == "userspace"
        return
    with pytest.raises(ServiceFailed, match="not one on all nodes: iptables, userspace"):
        mode_of(kube, PROBES)
