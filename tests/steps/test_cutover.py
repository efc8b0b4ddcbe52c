"""The cutover on fakes: what is done in which order, and that every doubt brings the shop back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from flows.cutover import cutover
from inventory.models.finding import Finding
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from tasks.drivers.errors import ServiceFailed
from tasks.move import changeover
from tasks.steps.approve import take_standing_approval
from tasks.steps.stage import StageRefused, read_result, stage
from tasks.steps.workplace import Workplace
from tests.steps.conftest import EFFECTS, Heard, Opening, finding, subjects
from tests.steps.fakes import SOURCE_DB, SOURCE_EDGE, TARGET_DB, TARGET_EDGE, World
from tests.steps.test_approve import DIGEST, gate_says

pytestmark = pytest.mark.usefixtures("plain_tasks")

STEPS = [step.name for step in changeover.STEPS]


@pytest.fixture
def approved(place: Workplace) -> Workplace:
    gate_says(place)
    with stage("approve") as draft:
        take_standing_approval.fn(draft, DIGEST)
    return place


def run(place: Workplace, **options: Any) -> StageResult:
    return cutover.fn(str(place.site_file), **options)


def refused(place: Workplace) -> StageResult:
    with pytest.raises(StageRefused) as error:
        run(place)
    return error.value.result


def one(result: StageResult, code: str) -> Finding:
    (found,) = (each for each in result.findings if each.code == code)
    return found


def all_back(world: World, result: StageResult) -> None:
    """Everything is at the source again, no order was lost or refused, and it is told."""
    assert world.at_the_source()
    assert world.refused == 0
    world.clock.sleep(1)
    assert world.source_sql.orders == list(range(1, world.orders + 1))
    assert result.verdict is Verdict.FAIL
    back = one(result, "CUT-REVERTED")
    assert back.verdict is Verdict.PASS, back
    assert 0 <= result.figures["revert_s"] < 10


def test_the_order_of_a_cutover(approved: Workplace, world: World) -> None:
    before = len(approved.ledger.entries())
    result = run(approved)
    assert result.verdict is Verdict.PASS
    assert world.at_the_target()
    assert world.refused == 0
    assert world.target_sql.orders == list(range(1, world.orders + 1))
    assert [call for call in world.calls if not call.startswith(("sql", "kube"))] == [
        f"edge {SOURCE_EDGE} shift 0",
        *(f"edge {SOURCE_EDGE} shift {percent}" for percent in (1, 10, 50, 100)),
        f"edge {SOURCE_EDGE} hold",
        f"edge {TARGET_EDGE} hold",
        f"edge {SOURCE_EDGE} release",
        f"edge {TARGET_EDGE} release",
        f"dns {TARGET_EDGE}",
    ]
    held, released = (world.calls.index(f"edge {TARGET_EDGE} {what}") for what in ("hold", "release"))
    assert [call for call in world.calls[held:released] if "read_only" in call or "CHANGE" in call] == [
        f"sql {SOURCE_DB} SET GLOBAL read_only = ON",
        f"sql {TARGET_DB} SET GLOBAL read_only = OFF",
        f"sql {SOURCE_DB} CHANGE MASTER 10.60.0.11",
    ]
    assert not [call for call in world.calls[:held] if call.startswith(("sql", "kube"))]
    assert [each.code for each in result.findings] == [
        "CUT-APPROVED",
        *["CUT-SHIFT"] * 5,
        "CUT-DATABASE",
        "CUT-SHIFT",
        "CUT-DNS",
    ]
    assert [step["percent"] for step in result.figures["steps"]] == [0, 1, 10, 50, 100, 100]
    assert {"write_freeze_s", "changeover_s", "dns_switched_at", "started_at"} <= set(result.figures)
    wanted = [
        "edge/shift",
        *["edge/shift"] * 4,
        *(f"database/{name}" for name in STEPS),
        "dns/set",
    ]
    pairs = [f"{kind} {what}" for what in wanted for kind in ("intent", "outcome")]
    assert subjects(approved, *EFFECTS)[6:] == [
        "intent stage/cutover",
        *pairs,
        "evidence stage/cutover",
        "outcome stage/cutover",
    ]
    assert all(entry.body["done"] for entry in approved.ledger.entries(kind="outcome")[before // 3 :])
    percents = [entry.body["percent"] for entry in approved.ledger.entries("intent", "edge/shift")]
    assert percents == [0, 1, 10, 50, 100]


def test_every_effect_has_its_intent_before_it(approved: Workplace, world: World) -> None:
    open_when: dict[str, list[str]] = {}

    def look(call: str) -> None:
        open_when[call] = [entry.subject for entry in approved.ledger.open_intents()]

    calls = {
        f"edge {SOURCE_EDGE} shift 10": "edge/shift",
        f"sql {TARGET_DB} SET GLOBAL read_only = OFF": "database/promote_new",
        f"dns {TARGET_EDGE}": "dns/set",
    }
    for call in calls:
        world.when[call] = lambda call=call: look(call)  # type: ignore[misc]  # bound now
    run(approved)
    assert {call: found[-1] for call, found in open_when.items()} == calls


def test_no_traffic_is_no_data_and_nothing_is_shifted(approved: Workplace, world: World) -> None:
    world.rate_rps = 0
    result = refused(approved)
    assert result.verdict is Verdict.NODATA
    assert not [call for call in world.calls if call != f"edge {SOURCE_EDGE} shift 0"]
    assert world.at_the_source()


def test_without_an_approval_nothing_is_touched(place: Workplace, world: World) -> None:
    gate_says(place)
    assert one(refused(place), "CUT-APPROVED").verdict is Verdict.FAIL
    assert world.calls == []


@pytest.mark.parametrize("percent", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 100)), 10, 50])
def test_errors_at_the_target_bring_everything_back(approved: Workplace, world: World, percent: int) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when[f"edge {SOURCE_EDGE} shift {percent}"] = sicken
    result = refused(approved)
    all_back(world, result)
    shifts = [int(call.rpartition(" ")[2]) for call in world.calls if " shift " in call]
    assert shifts == [0, *itertools.takewhile(lambda step: step <= percent, (1, 10, 50, 100)), 0]
    failed = result.findings[-2]
    assert (failed.code, failed.subject, failed.verdict) == (
        "CUT-SHIFT",
        f"share/{percent}%",
        Verdict.FAIL,
    )
    assert not [call for call in world.calls if call.startswith("sql")], "the database was not reached"


@pytest.mark.parametrize("database_as_well", [False, True])
def test_a_target_that_dies_at_half_brings_everything_back(
    approved: Workplace, world: World, database_as_well: bool
) -> None:
    def die() -> None:
        world.target_up = False
        world.target_database_up = not database_as_well

    world.when[f"edge {SOURCE_EDGE} shift 50"] = die
    result = refused(approved)
    world.target_database_up = True
    all_back(world, result)
    assert "fell back to the source" in result.findings[-2].observed
    assert result.figures["steps"][-2]["fallbacks"] > 0
    reverted = approved.ledger.entries("intent", "edge/shift")[-1].body
    assert (reverted["percent"], reverted["because"]) == (0, "reverted")


@pytest.mark.parametrize(
    ("call", "at"),
    [
        (f"edge {TARGET_EDGE} hold", "hold_writes"),
        (f"sql {SOURCE_DB} SET GLOBAL read_only = ON", "close_old"),
        (f"sql {TARGET_DB} STOP SLAVE", "promote_new"),
        (f"sql {TARGET_DB} SET GLOBAL read_only = OFF", "promote_new"),
        (f"sql {SOURCE_DB} CHANGE MASTER 10.60.0.11", "follow_new"),
        ("kube oslo apply EndpointSlice db-primary-1", "point_services"),
    ],
)
def test_a_failure_in_the_changeover_is_undone(approved: Workplace, world: World, call: str, at: str) -> None:
    def fail() -> None:
        raise ServiceFailed("part", "failed on purpose")

    world.when[call] = fail
    result = refused(approved)
    all_back(world, result)
    database = one(result, "CUT-DATABASE")
    assert database.verdict is Verdict.FAIL
    assert f"failed at {at}" in database.observed and "failed on purpose" in database.observed
    (outcome,) = approved.ledger.entries("outcome", f"database/{at}")
    assert (outcome.body["done"], outcome.body["error"]) == (False, "ServiceFailed: part: failed on purpose")
    assert f"dns {TARGET_EDGE}" not in world.calls


def test_errors_after_the_changeover_bring_the_database_back(approved: Workplace, world: World) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when[f"edge {TARGET_EDGE} release"] = sicken
    result = refused(approved)
    all_back(world, result)
    assert [each.subject for each in result.findings if each.code == "CUT-DATABASE"] == [
        TARGET_DB,
        SOURCE_DB,
    ]
    first, last = (
        world.calls.index(f"sql {name} SET GLOBAL read_only = OFF") for name in (TARGET_DB, SOURCE_DB)
    )
    back = [n for n, call in enumerate(world.calls) if call == f"edge {SOURCE_EDGE} shift 0"][-1]
    assert first < last < back, "the source must take writes before it gets the traffic"


def test_errors_after_the_name_is_switched_bring_the_name_back(approved: Workplace, world: World) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when[f"dns {TARGET_EDGE}"] = sicken
    result = refused(approved)
    all_back(world, result)
    assert one(result, "CUT-DNS").verdict is Verdict.FAIL
    assert world.calls[-2:] == [f"dns {SOURCE_EDGE}", f"edge {TARGET_EDGE} shift 0"]


class Bug(Exception):
    """Something that nobody thought of."""


@pytest.mark.parametrize(
    "error", [ServiceFailed("edge", "gone"), KeyboardInterrupt(), Bug("a mistake in the program")]
)
@pytest.mark.parametrize(
    "call", [f"dns {TARGET_EDGE}", pytest.param(f"edge {SOURCE_EDGE} shift 50", marks=pytest.mark.slow)]
)
def test_whatever_breaks_it_off_brings_everything_back(
    approved: Workplace, world: World, error: BaseException, call: str
) -> None:
    def broken() -> None:
        raise error

    world.when[call] = broken
    with pytest.raises(type(error)):
        run(approved)
    assert world.at_the_source()
    assert world.refused == 0
    kept = read_result(approved.state, "cutover")
    assert kept is not None
    assert kept.verdict is Verdict.ERROR
    assert one(kept, "CUT-REVERTED").verdict is Verdict.PASS


def test_a_dry_run_shows_the_steps_and_does_none(approved: Workplace, world: World, heard: Heard) -> None:
    entries = len(approved.ledger.entries())
    run(approved, dry_run=True)
    assert heard.said[0].startswith("would shift 1 %")
    assert heard.said[-1] == f"would point shop.fjordshop.example at {TARGET_EDGE}"
    assert world.calls == []
    assert len(approved.ledger.entries()) == entries


def test_a_cutover_that_stands_is_not_done_again(approved: Workplace, world: World) -> None:
    run(approved)
    done = list(world.calls)
    again = run(approved)
    assert again.verdict is Verdict.PASS
    assert world.calls == done
    assert world.refused == 0
    assert one(again, "CUT-STANDS").verdict is Verdict.PASS


def test_after_a_reverted_cutover_the_next_one_works(approved: Workplace, world: World) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when[f"dns {TARGET_EDGE}"] = sicken
    refused(approved)
    world.target_errors = 0.0
    assert run(approved).verdict is Verdict.PASS
    assert world.at_the_target()
    assert world.refused == 0


def test_the_findings_of_a_refused_cutover_are_shown(
    opening: Opening, approved: Workplace, world: World, heard: Heard
) -> None:
    world.rate_rps = 0
    refused(approved)
    assert [each.code for each in heard.findings] == ["CUT-SHIFT"]
    assert finding("CUT-SHIFT").code == heard.findings[0].code
