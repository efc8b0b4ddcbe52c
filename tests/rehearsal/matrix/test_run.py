"""A run of the matrix: the fault is there while the checks look, and gone before the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from rehearsal.matrix import run
from rehearsal.matrix.fault import Fault, Where
from tasks.checks.context import DataPlane
from tasks.checks.registry import Check
from tasks.drivers.errors import OutsideError
from tests.networks.cluster import MemoryKube, StillClock
from tests.operations.network_site import site

CONTEXT = DataPlane(site(), {}, MemoryKube(), {}, StillClock())
WHERE = run.where_of(CONTEXT)


class World:
    """What is broken now; a check fails while its subject is."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    def check(self, code: str, *subjects: str, bad: Verdict = Verdict.FAIL) -> Check:
        def look(_: DataPlane) -> Iterable[Finding]:
            verdict = bad if self.broken & set(subjects) else Verdict.PASS
            yield Finding(code=code, subject="oslo-3", verdict=verdict, observed="seen", remedy="mend it")

        return Check(code, code, run.GROUP, Severity.HIGH, look)

    def fault(self, undo: Callable[[Where], None] | None = None) -> Fault:
        mend = undo or (lambda _: self.broken.discard("mtu"))
        return Fault("wrong-mtu", "MTU 1400", "FL-MTU", lambda _: self.broken.add("mtu"), mend)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    checks = (
        world.check("FL-MTU", "mtu"),
        world.check("PATH-PODS", "mtu", "port"),
        world.check("FL-FRAG", "mtu", bad=Verdict.NODATA),
        world.check("DP-FWD", "forwarding"),
    )
    monkeypatch.setattr(run, "in_group", lambda _: checks)
    return world


def test_the_last_node_is_struck() -> None:
    assert WHERE.node.name == "oslo-3"
    assert (WHERE.plane.name, WHERE.peer.name) == ("oslo-1", "oslo-1")


def test_a_fault_is_found_and_gone_again(world: World) -> None:
    row = run.try_fault(world.fault(), WHERE)
    assert row.found
    assert (row.named, row.failed, row.unseen) == (["FL-MTU"], ["FL-MTU", "PATH-PODS"], ["FL-FRAG"])
    assert row.observed == "oslo-3: seen"
    assert not world.broken


def test_another_cause_beside_it_is_not_found(world: World) -> None:
    world.broken.add("forwarding")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OutsideError, match="DP-FWD do not pass yet"):
        patch.setattr(run, "HEALS_WITHIN_S", 0.0)
        run.try_fault(world.fault(), WHERE)


def test_a_site_that_does_not_heal_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HEALS_WITHIN_S", 0.0)
    with pytest.raises(
        OutsideError, match=r"oslo-3: .*undone 0 s ago, and FL-FRAG, FL-MTU, PATH-PODS do not"
    ):
        run.try_fault(world.fault(undo=lambda _: None), WHERE)


def test_healthy_runs_count_their_alarms(world: World) -> None:
    assert [each.alarms for each in run.healthy_runs(CONTEXT, 3)] == [[], [], []]
    world.broken.add("port")
    (alarmed,) = run.healthy_runs(CONTEXT, 1)
    assert (alarmed.findings, alarmed.alarms) == (4, ["PATH-PODS oslo-3: seen"])


def test_what_a_killed_run_left_is_undone(world: World) -> None:
    world.broken.add("mtu")
    run.heal([world.fault()], WHERE)
    assert not world.broken
