"""Machines are read around every run: by SSH, by probe pods, or told as missing; steal voids a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inventory.models.command import Shellable
from inventory.models.site import LatencyGate
from tasks.drivers.errors import HostUnreachable, OutsideError, ServiceFailed
from tasks.drivers.local_program import HERE
from tasks.drivers.ports import Output
from tasks.facts import usage, virtualization
from tasks.facts.cpu import CpuTicks
from tasks.facts.gather import command, marker_of
from tasks.facts.usage import Counted
from tasks.gates.latency_campaign import judged_campaign
from tasks.gates.rounds_file import Reading, rounds_of
from tasks.replay.rounds import ATTEMPTS, SIDES, Campaign
from tasks.steps import round_readings
from tasks.steps.round_readings import Machine, machines_of, reading
from tasks.steps.workplace import Workplace, opened
from tests.gates.test_latency_campaign import campaign, simulated
from tests.inventory.sites import WHOLE, folder_with
from tests.networks.cluster import MemoryKube, StillClock, pod, said
from tests.steps.conftest import Heard
from tests.steps.fakes import World

DATA = Path(__file__).parents[1] / "data"
USAGE = (DATA / "facts" / "usage-before.machine.txt").read_text()
SIGNS = (DATA / "facts" / "virtualization.nspawn.txt").read_text()


class Node:
    """Answers with what was recorded on a real one; `gone` does not answer at all."""

    def __init__(self, name: str, *, gone: bool = False) -> None:
        self.name, self.gone, self.asked = name, gone, 0

    def run(self, shell: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        if self.gone:
            raise HostUnreachable(self.name, "no route")
        self.asked += 1
        signs = (virtualization.ask(),)
        if shell.render() == command(signs).render():
            marker = marker_of(signs)
            return said(f"\n{marker} begin 0\n{SIGNS}\n{marker} end 0 0\n")
        return said(USAGE.replace("@@marker", marker_of(usage.questions())))


def ticking(*readings: Counted | OutsideError) -> Callable[[], Counted]:
    left = list(readings)

    def read() -> Counted:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, OutsideError):
            raise found
        return found

    return read


def clock(steal_each: int) -> Callable[[], Counted]:
    """A machine of which every reading is 1,000 ticks after the last, so many of them stolen."""
    passed = iter(range(10_000))

    def read() -> Counted:
        n = next(passed)
        return Counted(CpuTicks(1000 * n, steal_each * n, 600 * n), 80, 1000, 500 * n, 2 * n)

    return read


def with_readings(mine: Campaign, **machines: Machine) -> Campaign:
    sides = {side: (machines[side],) for side in SIDES}
    mine.endpoints["target"] = replace(mine.endpoints["target"], url="http://127.0.0.2")
    mine.runner = reading(
        mine.runner, sides, lambda endpoint: next(s for s in SIDES if mine.endpoints[s] == endpoint)
    )
    return mine


def test_each_round_of_each_side_has_its_readings() -> None:
    source, target = Machine("aws-1", "source", clock(1)), Machine("oslo-1", "target", clock(2), True)
    mine = with_readings(campaign(simulated(0.6)), source=source, target=target)
    judged = judged_campaign(mine, LatencyGate())
    read = rounds_of(json.loads(json.dumps(mine.rounds_file())))
    assert judged.verdict == "pass"
    assert {(r.round, r.side, m.machine) for r in read.readings for m in r.machines} == {
        (number, side, name)
        for number in range(1, 5)
        for side, name in (("source", "aws-1"), ("target", "oslo-1"))
    }
    (first, *_) = [r.machines[0] for r in read.readings if r.side == "target"]
    assert (first.steal, first.cpu_busy, first.conntrack, first.tcp_sent, first.tcp_resent) == (
        *(0.002, 0.398, 0.08, 500, 2),
    )
    assert {side: [f.name for f in mine.kept[side]][:1] for side in SIDES} == {
        side: [f"round-01-{side}-1"] for side in SIDES
    }


@pytest.mark.parametrize(("own", "discarded"), [(True, ATTEMPTS), (False, 0), (None, 0)])
def test_steal_voids_the_run_of_a_machine_with_its_own_kernel(own: bool | None, discarded: int) -> None:
    source, target = Machine("aws-1", "source", clock(0)), Machine("oslo-1", "target", clock(50), own)
    mine = with_readings(campaign(simulated(0.6)), source=source, target=target)
    judged_campaign(mine, LatencyGate())
    (pair, *_) = mine.pairs
    assert [d.reasons for d in pair.discarded] == [
        ("oslo-1: 5.0% of the processor time stolen, limit 2%",)
    ] * discarded
    tried = [Reading(**r) for r in mine.readings if (r["round"], r["side"]) == (1, "target")]
    assert [(r.attempt, r.valid) for r in tried] == [
        (n, not discarded) for n in range(1, (discarded or 1) + 1)
    ]


def test_a_machine_that_is_gone_ends_no_run() -> None:
    lost = HostUnreachable("oslo-1", "no route")
    source = Machine("aws-1", "source", clock(0))
    target = Machine("oslo-1", "target", ticking(clock(0)(), lost), True)
    mine = with_readings(campaign(simulated(0.6)), source=source, target=target)
    assert judged_campaign(mine, LatencyGate()).verdict == "pass"
    seen = [r["machines"][0] for r in mine.readings if r["side"] == "target"]
    assert {(each["steal"], each["missing"]) for each in seen} == {(None, "oslo-1: no route")}


@contextmanager
def place_of(
    folder: Path, kube: Any, *, gone: str = "", text: str = WHOLE.read_text()
) -> Iterator[tuple[Workplace, Heard, dict[str, Node]]]:
    heard, world = Heard(), World()
    nodes = {name: Node(name, gone=name == gone) for name in ("oslo-1", "oslo-2", "oslo-3", "aws-1")}

    def drivers(site: Any) -> Any:
        made = world.drivers(site)
        made.own_hosts = nodes
        made.source_kube = lambda: kube
        return made

    with opened(folder_with(folder, text), progress=heard, actor="tests", make_drivers=drivers) as place:
        place.clock = StillClock()
        yield place, heard, nodes


def source_cluster(*, ready: bool = True) -> MemoryKube:
    def answers(_: str, words: Any) -> Output:
        assert words == ["usage"]
        return said((DATA / "dataplane" / "probe-usage.json").read_text())

    node = {"kind": "Node", "metadata": {"name": "aws-1"}}
    return MemoryKube(answers).put(node, pod("probe-node-aws-1", "aws-1", app="probe-node", ready=ready))


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "probe").write_bytes(b"\x7fELF")
    real = round_readings.probe_image
    monkeypatch.setattr(round_readings, "probe_image", lambda _: real(folder))


@pytest.mark.usefixtures("programs")
def test_nodes_that_are_not_declared_are_read_by_probe_pods(tmp_path: Path) -> None:
    kube = source_cluster()
    with place_of(tmp_path / "site", kube) as (place, _, nodes), machines_of(place) as machines:
        assert [(m.name, m.part) for m in machines["source"]] == [("aws-1", "source"), (HERE, "generator")]
        assert [(m.name, m.own_kernel) for m in machines["target"]] == [
            *((f"oslo-{n}", False) for n in (1, 2, 3)),
            (HERE, None),
        ]
        assert {kind for kind, _, _ in kube.objects} == {"Node", "Namespace", "DaemonSet", "Pod"}
        for side in SIDES:
            for machine in machines[side]:
                assert machine.read().ticks.total > 0
        assert all(nodes[f"oslo-{n}"].asked == 2 for n in (1, 2, 3))
    assert {kind for kind, _, _ in kube.objects} == {"Node"}


@pytest.mark.usefixtures("programs")
def test_a_source_without_probes_is_missing_with_its_reason(tmp_path: Path) -> None:
    kube = source_cluster(ready=False)
    with place_of(tmp_path / "site", kube, gone="oslo-2") as (place, _, _), machines_of(place) as machines:
        (source, _) = machines["source"]
        with pytest.raises(OutsideError, match="not ready on aws-1 in 60 s"):
            source.read()
        assert [m.own_kernel for m in machines["target"]] == [False, None, False, None]


def test_a_source_without_the_probes_program_is_missing(tmp_path: Path) -> None:
    with place_of(tmp_path / "site", source_cluster()) as (place, _, _), machines_of(place) as machines:
        (source, _) = machines["source"]
        with pytest.raises(OutsideError, match="no program `probe`"):
            source.read()


def test_declared_source_nodes_are_read_by_ssh(tmp_path: Path) -> None:
    text = WHOLE.read_text().replace(
        "  networks: [10.40.0.0/24",
        "  nodes: [{name: aws-1, address: 10.40.0.11}]\n  networks: [10.40.0.0/24",
    )
    with (
        place_of(tmp_path / "site", MemoryKube(), text=text) as (place, _, nodes),
        machines_of(place) as machines,
    ):
        assert [m.name for m in machines["source"]] == ["aws-1", HERE]
        machines["source"][0].read()
        assert nodes["aws-1"].asked == 2


@pytest.mark.usefixtures("programs")
def test_pods_that_cannot_be_removed_cost_no_round(tmp_path: Path) -> None:
    kube = source_cluster()

    def stuck(*_: Any, **__: Any) -> bool:
        raise ServiceFailed("source", "the API is away")

    with place_of(tmp_path / "site", kube) as (place, heard, _):
        with machines_of(place):
            kube.delete = stuck  # type: ignore[method-assign] # from here on
        assert heard.said == ["probe pods are left at the source: source: the API is away"]


def test_a_probe_of_another_version_is_missing() -> None:
    def answers(*_: Any) -> Output:
        return said("usage: probe [bulk ...]", 2)

    with pytest.raises(OutsideError, match="usage: probe"):
        partial(round_readings._read_pod, MemoryKube(answers), "probe-node-aws-1")()
