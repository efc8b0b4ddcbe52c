"""`rehearse matrix`: on the site that is up or one of its own, which goes again; what the exit code says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import fault_matrix as command
from flows.cli.exits import Exit
from inventory.errors import BadInput
from inventory.models.command import Shellable
from rehearsal.matrix.fault import Fault, Where
from rehearsal.matrix.result import HealthyRun, Row
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Output
from tasks.networks.probe import Probes
from tests.networks.cluster import MemoryKube, StillClock, said
from tests.operations.network_site import site

WELL = HealthyRun(findings=90, warnings=[], alarms=[], seconds=10.0)


def row(fault: Fault, *, found: bool = True) -> Row:
    named = [fault.primary] if found else []
    return Row(
        fault=fault.name,
        what=fault.what,
        primary=fault.primary,
        named=named,
        failed=named,
        unseen=[],
        observed="seen",
        seconds=1.0,
        healed_s=0.1,
    )


class Bare:
    """A node without a kernel of its own."""

    def run(self, _: Shellable) -> Output:
        return said("", 1)

    def check(self, _: Shellable) -> str:
        return "6.18.44-generic\n"


class World:
    """What the command did to the outside."""

    def __init__(self) -> None:
        self.up = True
        self.done: list[str] = []
        self.missed: set[str] = set()
        self.broken = ""

    def try_fault(self, fault: Fault, where: Where, told: Any) -> Row:
        if fault.name == self.broken:
            raise OutsideError("oslo-3", "does not heal")
        self.done.append(fault.name)
        return row(fault, found=fault.name not in self.missed)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World()

    @contextmanager
    def running(file: Path, **_: Any) -> Iterator[Any]:
        drivers = SimpleNamespace(hosts=lambda: {"oslo-3": Bare()}, target_kube=MemoryKube)
        place = SimpleNamespace(site=site(), clock=StillClock(), drivers=drivers)

        def whole_exit(*, resume: bool, until: str) -> None:
            assert resume
            world.done.append(f"until {until}")

        yield SimpleNamespace(place=place, whole_exit=whole_exit)

    @contextmanager
    def probing(*_: Any) -> Iterator[Probes]:
        yield Probes({}, {})

    def bring_up(*_: Any) -> Any:
        world.done.append("up")
        return SimpleNamespace(site_file=tmp_path / "site.yaml")

    monkeypatch.setattr(command, "Running", running)
    monkeypatch.setattr(command, "probing", probing)
    monkeypatch.setattr(command, "probe_image", lambda _: SimpleNamespace(reference="probe:1"))
    monkeypatch.setattr(command, "bring_up", bring_up)
    monkeypatch.setattr(command, "take_down", lambda: world.done.append("down"))
    monkeypatch.setattr(command.site, "is_up", lambda: world.up)
    monkeypatch.setattr(command, "heal", lambda faults, _: world.done.append(f"heal {len(faults)}"))
    monkeypatch.setattr(command, "try_fault", world.try_fault)
    monkeypatch.setattr(command, "healthy_runs", lambda _, count: iter([WELL] * count))
    return world


def run(out: Path, *names: str, runs: int = 2, beside: tuple[Path, ...] = ()) -> int:
    return command.fault_matrix(out, names=names, runs=runs, beside=beside, ready_parts=None, as_json=False)


def test_every_fault_is_tried_on_the_site_that_is_up_and_stays_up(world: World, tmp_path: Path) -> None:
    assert run(tmp_path / "out") == Exit.DONE
    assert world.done[0] == "until network"
    assert world.done[1].startswith("heal "), "what a killed run left is undone first"
    assert "wrong-mtu" in world.done
    assert not {"up", "down", "neighbour-overflow"} & set(world.done)
    document = json.loads((tmp_path / "out" / "fault-matrix.json").read_text())
    assert document["schema"] == "safe-harbor/fault-matrix/v1"
    assert "own" in document["untried"]["neighbour-overflow"]
    assert len(document["healthy"]) == 2
    assert "2 runs of every check" in (tmp_path / "out" / "fault-matrix.md").read_text()


def test_one_that_is_not_found_is_no_pass(world: World, tmp_path: Path) -> None:
    world.missed.add("wrong-mtu")
    assert run(tmp_path, "hairpin-off", runs=0) == Exit.DONE
    assert run(tmp_path, "hairpin-off", "wrong-mtu", runs=0) == Exit.NOT_A_PASS


def test_a_site_of_its_own_goes_again_whatever_happens(world: World, tmp_path: Path) -> None:
    world.up = False
    assert run(tmp_path, "hairpin-off") == Exit.DONE
    assert (world.done[0], world.done[-1]) == ("up", "down")
    world.broken = "wrong-mtu"
    world.done.clear()
    with pytest.raises(OutsideError, match="does not heal"):
        run(tmp_path, "wrong-mtu")
    assert world.done[-1] == "down"


def test_the_page_shows_another_run_as_well(world: World, tmp_path: Path) -> None:
    assert run(tmp_path / "deep", "hairpin-off") == Exit.DONE
    other = tmp_path / "deep" / "fault-matrix.json"
    assert run(tmp_path / "out", "wrong-mtu", beside=(other,)) == Exit.DONE
    page = (tmp_path / "out" / "fault-matrix.md").read_text()
    assert "**2 of 2 faults found**" in page
    world.done.clear()
    with pytest.raises(BadInput):
        run(tmp_path, "wrong-mtu", beside=(tmp_path / "none.json",))
    assert world.done == [], "nothing was touched"
