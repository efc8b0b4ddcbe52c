"""The rollback: after a cutover, after a kill in the middle of one, and refused once the exit is final."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cutover import cutover
from flows.finalize import finalize
from flows.rollback import rollback
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from tasks.drivers.errors import ServiceFailed
from tasks.ledger import read_entries
from tasks.ledger import verify as verify_ledger
from tasks.steps import finalize as finalizing
from tasks.steps import workplace
from tasks.steps.approve import take_standing_approval
from tasks.steps.finalize import FINAL
from tasks.steps.stage import StageRefused, stage
from tasks.steps.status import exit_status
from tasks.steps.workplace import opened
from tests.steps.conftest import Opening
from tests.steps.fakes import SOURCE_DB, SOURCE_EDGE, TARGET_DB, TARGET_EDGE, World
from tests.steps.test_approve import DIGEST, gate_says

pytestmark = pytest.mark.usefixtures("plain_tasks")


@pytest.fixture
def approved(opening: Opening) -> Opening:
    with opening() as place:
        gate_says(place)
        with stage("approve") as draft:
            take_standing_approval.fn(draft, DIGEST)
    return opening


def run(opening: Opening, flow: Any, **options: Any) -> StageResult:
    """One command: it opens the site, and closes it again."""
    with opening() as place:
        result: StageResult = flow.fn(str(place.site_file), **options)
    return result


def nothing_lost(world: World) -> None:
    assert world.refused == 0
    world.clock.sleep(1)
    assert world.source_sql.orders == list(range(1, world.orders + 1))
    world.target_sql.rows("SHOW SLAVE STATUS")
    assert world.target_sql.orders == world.source_sql.orders


def test_the_shop_comes_back_with_every_order(approved: Opening, world: World) -> None:
    run(approved, cutover)
    world.clock.sleep(5)
    at_the_target = len(world.target_sql.orders)
    done = len(world.calls)
    result = run(approved, rollback)
    assert result.verdict is Verdict.PASS
    assert world.at_the_source()
    nothing_lost(world)
    assert len(world.source_sql.orders) > at_the_target
    assert result.figures["before"] == {
        "unfinished_intents": [],
        "target_is_primary": True,
        "target_percent": 100,
        "dns": [TARGET_EDGE],
    }
    assert result.changes == 4  # database, both edges, name
    assert {"write_freeze_s", "back_s"} <= set(result.figures)
    moved = [call for call in world.calls[done:] if " shift " in call or call.startswith("dns")]
    assert moved == [f"edge {SOURCE_EDGE} shift 0", f"edge {TARGET_EDGE} shift 0", f"dns {SOURCE_EDGE}"]
    writes = world.calls.index(f"sql {SOURCE_DB} SET GLOBAL read_only = OFF")
    assert writes < world.calls.index(f"edge {TARGET_EDGE} shift 0"), "the source must take writes first"


def test_a_second_rollback_changes_nothing(approved: Opening, world: World) -> None:
    run(approved, cutover)
    run(approved, rollback)
    done = list(world.calls)
    assert run(approved, rollback).changes == 0
    assert world.calls == done


def test_a_rollback_with_nothing_to_take_back_is_harmless(approved: Opening, world: World) -> None:
    result = run(approved, rollback)
    assert result.verdict is Verdict.PASS
    assert world.calls == [f"edge {TARGET_EDGE} shift 0"]
    assert world.at_the_source()


def test_a_dry_run_shows_the_state_and_takes_nothing_back(
    approved: Opening, world: World, site_file: Path
) -> None:
    run(approved, cutover)
    done, entries = list(world.calls), len(read_entries(site_file.parent / "state" / "ledger"))
    result = run(approved, rollback, dry_run=True)
    assert result.figures["before"]["target_is_primary"]
    assert world.calls == done
    assert len(read_entries(site_file.parent / "state" / "ledger")) == entries


def test_after_a_rollback_one_can_cut_over_again(approved: Opening, world: World) -> None:
    run(approved, cutover)
    run(approved, rollback)
    result = run(approved, cutover)
    assert result.verdict is Verdict.PASS
    assert world.at_the_target()
    assert world.target_edge.share == 100
    assert world.refused == 0


def test_a_database_that_cannot_go_back_stops_the_rollback(approved: Opening, world: World) -> None:
    run(approved, cutover)

    def fail() -> None:
        raise ServiceFailed("rds", "does not start")

    world.when[f"sql {SOURCE_DB} SET GLOBAL read_only = OFF"] = fail
    with pytest.raises(StageRefused, match=r"CUT-DATABASE.*does not start"):
        run(approved, rollback)
    assert world.at_the_target(), "traffic must not go where no write is taken"
    assert run(approved, rollback).verdict is Verdict.PASS
    assert world.at_the_source()
    nothing_lost(world)


def killed_at(world: World, call: str, work: Callable[[], object], folder: Path) -> World:
    """Run `work` in a process that is gone, with no word, when it comes to `call`; the world it leaves."""
    kept = folder / "world.pickle"

    def die() -> None:
        kept.write_bytes(pickle.dumps(world))
        os._exit(137)

    child = os.fork()
    if child == 0:
        try:
            world.when[call] = die
            work()
        finally:
            os._exit(99)  # it ran to its end, or failed: either way it was not killed
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 137, f"it never came to {call!r}"
    left: World = pickle.loads(kept.read_bytes())  # noqa: S301 - written above
    return left


# At every change of the cutover; those after the first four are left to the slow tests.
KILLS = [
    f"edge {SOURCE_EDGE} shift 10",
    f"sql {TARGET_DB} STOP SLAVE",
    f"sql {SOURCE_DB} CHANGE MASTER 10.60.0.11",
    f"dns {TARGET_EDGE}",
    *(
        pytest.param(call, marks=pytest.mark.slow)
        for call in (
            f"edge {SOURCE_EDGE} hold",
            f"edge {TARGET_EDGE} hold",
            f"sql {SOURCE_DB} SET GLOBAL read_only = ON",
            f"sql {TARGET_DB} SET GLOBAL read_only = OFF",
            f"sql {SOURCE_DB} START SLAVE",
            "kube oslo apply EndpointSlice db-primary-1",
            f"edge {TARGET_EDGE} release",
        )
    ),
]


@pytest.fixture
def kill(
    approved: Opening, world: World, site_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[World, Opening]]:
    def killed(call: str) -> tuple[World, Opening]:
        left = killed_at(world, call, lambda: run(approved, cutover), tmp_path)
        monkeypatch.setattr(workplace, "SystemClock", lambda: left.clock)
        left.refused = 0
        return left, lambda: opened(site_file, actor="tests", make_drivers=left.drivers)

    return killed


@pytest.mark.parametrize("call", KILLS)
def test_a_kill_in_the_middle_is_taken_back(
    kill: Callable[[str], tuple[World, Opening]], site_file: Path, call: str
) -> None:
    left, opening = kill(call)
    trail = site_file.parent / "state" / "ledger"
    assert not verify_ledger(trail).problems
    unfinished = [entry.subject for entry in exit_status(site_file).unfinished]
    assert unfinished[0] == "stage/cutover"
    assert len(unfinished) == 2, "the intent of what was under way stands in the ledger"

    result = run(opening, rollback)
    assert result.verdict is Verdict.PASS
    assert result.figures["before"]["unfinished_intents"] == unfinished
    assert left.at_the_source()
    nothing_lost(left)
    assert exit_status(site_file).unfinished == (), "the rollback has answered them"
    assert not verify_ledger(trail).problems


@pytest.mark.parametrize("call", KILLS)
def test_after_a_kill_the_cutover_can_be_run_again(
    kill: Callable[[str], tuple[World, Opening]], site_file: Path, call: str
) -> None:
    left, opening = kill(call)
    result = run(opening, cutover)
    assert result.verdict is Verdict.PASS
    assert left.at_the_target()
    assert left.refused == 0
    assert left.target_sql.orders == list(range(1, left.orders + 1))
    assert exit_status(site_file).unfinished == ()


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """What is left at the source is judged elsewhere: here, that it is asked for."""

    def judged(draft: object) -> None:
        world.call("judge what is left")

    monkeypatch.setattr(finalizing, "judge_what_is_left", judged)


def test_finalize_stops_the_source_after_the_soak(
    approved: Opening, world: World, stopping: None, site_file: Path
) -> None:
    world.source_kube.stored[("apps/v1", "Deployment", "shop", "shop")] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"replicas": 3},
    }
    run(approved, cutover)
    with pytest.raises(StageRefused, match=r"FIN-SOAK whole: the soak lasts \d+ s more"):
        run(approved, finalize)
    world.clock.sleep(101)
    done = len(world.calls)
    final: list[bool] = []
    trail = site_file.parent / "state" / "ledger"
    world.when["kube source apply Deployment shop"] = lambda: final.append(
        any(entry.subject == FINAL for entry in read_entries(trail))
    )
    result = run(approved, finalize)
    assert result.verdict is Verdict.PASS
    assert world.calls[done:] == [
        "kube source apply Deployment shop",
        f"sql {SOURCE_DB} STOP SLAVE",
        f"sql {SOURCE_DB} RESET SLAVE",
        "judge what is left",
    ]
    assert final == [True], "the exit is final before the first thing is stopped"
    assert result.figures["stopped"] == ["deployment/shop/shop", f"replication to {SOURCE_DB}"]
    assert world.source_kube.stored[("apps/v1", "Deployment", "shop", "shop")]["spec"]["replicas"] == 0

    calls = list(world.calls)
    with pytest.raises(StageRefused, match="RBK-OPEN whole: finalized at"):
        run(approved, rollback)
    assert world.calls == calls
    assert run(approved, finalize).changes == 0, "what a killed one has left can be finished"


def test_finalize_is_refused_without_a_cutover(approved: Opening, world: World, stopping: None) -> None:
    with pytest.raises(StageRefused, match="no cutover stands"):
        run(approved, finalize)
    assert world.calls == []


def test_finalize_is_refused_after_a_rollback(approved: Opening, world: World, stopping: None) -> None:
    run(approved, cutover)
    world.clock.sleep(1000)
    run(approved, rollback)
    with pytest.raises(StageRefused, match="no cutover stands"):
        run(approved, finalize)
    assert "judge what is left" not in world.calls


def test_finalize_is_refused_after_a_reverted_cutover(
    approved: Opening, world: World, stopping: None
) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when[f"edge {SOURCE_EDGE} shift 50"] = sicken
    with pytest.raises(StageRefused):
        run(approved, cutover)
    world.clock.sleep(1000)
    with pytest.raises(StageRefused, match="no cutover stands"):
        run(approved, finalize)


@pytest.mark.parametrize(("flow", "call"), [(rollback, f"edge {SOURCE_EDGE} shift 0")])
def test_finalize_is_refused_after_a_rollback_that_was_killed(
    approved: Opening,
    world: World,
    site_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopping: None,
    flow: Any,
    call: str,
) -> None:
    run(approved, cutover)
    world.clock.sleep(1000)
    left = killed_at(world, call, lambda: run(approved, flow), tmp_path)
    monkeypatch.setattr(workplace, "SystemClock", lambda: left.clock)
    with pytest.raises(StageRefused, match="no cutover stands"):
        run(lambda: opened(site_file, actor="tests", make_drivers=left.drivers), finalize)


def test_a_repeated_cutover_does_not_begin_the_soak_anew(
    approved: Opening, world: World, stopping: None
) -> None:
    run(approved, cutover)
    world.clock.sleep(101)
    run(approved, cutover)
    assert run(approved, finalize).verdict is Verdict.PASS


def test_a_dry_run_of_finalize_stops_nothing(
    approved: Opening, world: World, stopping: None, site_file: Path
) -> None:
    run(approved, cutover)
    world.clock.sleep(101)
    done = list(world.calls)
    run(approved, finalize, dry_run=True)
    assert world.calls == done
    trail = site_file.parent / "state" / "ledger"
    assert not [entry for entry in read_entries(trail) if entry.subject == FINAL]
