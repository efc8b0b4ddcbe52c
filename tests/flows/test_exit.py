"""The exit flow on a real Prefect server: order, the first refusal, resume; its long stages are tiny ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

import flows.exit as module
from inventory.errors import BadInput
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from tasks.drivers.errors import ServiceFailed
from tasks.ledger.entry import Kind
from tasks.steps import finalize
from tasks.steps.finalize import FINAL
from tasks.steps.stage import Draft, StageRefused, result_path, stage
from tasks.steps.workplace import current, opened
from tests.steps.conftest import Heard, Opening, finding
from tests.steps.fakes import World
from tests.steps.test_approve import DIGEST

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect")]

ORDER = [
    "survey",
    "plan",
    "prepare",
    "network",
    "move",
    "replay",
    "capacity",
    "gate",
    "approve",
    "cutover",
    "finalize",
]
REAL = ("approve", "cutover", "finalize")


@task(name="look", cache_policy=NO_CACHE)
def look(draft: Draft, verdict: str) -> None:
    draft.add([finding(verdict=verdict)])


Said = dict[str, Any]  # stage -> its verdict, or an exception to raise


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What each tiny stage says, else `pass`; approve, cutover and finalize are the real ones."""
    answers: Said = {}

    def tiny(name: str) -> Any:
        @flow(name=name)
        def one(site: str, dry_run: bool = False) -> StageResult:
            with opened(site) as place, stage(name, dry_run=dry_run) as draft:
                answer = answers.get(name, "pass")
                if isinstance(answer, BaseException):
                    raise answer
                look(draft, answer)
                if name == "gate":
                    decision = {"go": True, "digest": DIGEST}
                    draft.figures["decision"] = decision
                    place.ledger.append("decision", "gate", decision)
            return draft.result

        return one

    small = {name: tiny(name) for name in ORDER if name not in REAL}
    stages = tuple(small.get(each.name, each) for each in module.EXIT)
    monkeypatch.setattr(module, "EXIT", stages)
    monkeypatch.setattr(module, "_UNTIL_PREPARED", stages[:3])
    monkeypatch.setattr(finalize, "judge_what_is_left", lambda draft: None)
    return answers


Exit = Callable[..., list[StageResult]]


@pytest.fixture
def run(opening: Opening, site_file: Path, said: Said, world: World) -> Exit:
    def started(**options: Any) -> list[StageResult]:
        with opening():
            results: list[StageResult] = module.exit_flow(str(site_file), **options)
            return results

    return started


def ran(heard: Heard) -> list[str]:
    """The stages that ran since the last look."""
    names = [result.name for result in heard.ended]
    heard.ended.clear()
    return names


def test_the_whole_exit_in_its_order(run: Exit, heard: Heard, world: World, opening: Opening) -> None:
    results = run()
    assert [result.name for result in results] == ran(heard) == ORDER
    assert {result.verdict for result in results} == {Verdict.PASS}
    assert [each.code for each in results[0].findings] == ["TST-01"], "a task's findings are the stage's"
    assert world.refused == 0
    with opening() as place:
        intents = [entry.subject for entry in place.ledger.entries(kind="intent")]
        assert [each for each in intents if each.startswith("stage/")] == [f"stage/{name}" for name in ORDER]
        assert place.ledger.entries("milestone", FINAL)
        assert place.ledger.open_intents() == []


WAIVER = """waivers:
  - check: TST-01
    subject: oslo-1
    reason: the tests of the exit
    approver: Kari Nordmann
    expires: 2099-01-31
"""


def test_an_exit_leaves_entries_of_every_kind(
    run: Exit, said: Said, site_file: Path, opening: Opening
) -> None:
    site_file.write_text(site_file.read_text() + WAIVER)
    said["network"] = "fail"
    assert run()[-1].verdict is Verdict.PASS
    with opening() as place:
        entries = place.ledger.entries()
    assert {entry.kind for entry in entries} == set(Kind)
    assert [entry.subject for entry in entries if entry.kind is Kind.WAIVER] == ["TST-01/oslo-1"]
    assert [entry.subject for entry in entries if entry.kind is Kind.APPROVAL] == ["cutover"]
    answered = [entry.body["intent"] for entry in entries if entry.kind is Kind.OUTCOME]
    intents = [entry.index for entry in entries if entry.kind is Kind.INTENT]
    assert sorted(answered) == intents, "each intent has one outcome"


@pytest.mark.parametrize("name", ["survey", "network", "gate"])
@pytest.mark.parametrize("verdict", ["fail", "nodata"])
def test_the_first_refusal_stops_it(
    run: Exit, heard: Heard, said: Said, world: World, name: str, verdict: str
) -> None:
    said[name] = verdict
    with pytest.raises(StageRefused, match=f"{name}: {verdict}: TST-01") as refused:
        run()
    assert refused.value.result.name == name
    assert ran(heard) == ORDER[: ORDER.index(name) + 1]
    assert world.calls == []


def test_an_outside_failure_passes_through_as_itself(run: Exit, heard: Heard, said: Said) -> None:
    said["move"] = ServiceFailed("rds", "gone", "start it")
    with pytest.raises(ServiceFailed) as failed:
        run()
    assert (failed.value.part, failed.value.what, failed.value.remedy) == ("rds", "gone", "start it")
    assert ran(heard)[-1] == "move"


def test_resume_skips_what_is_done(run: Exit, heard: Heard, said: Said, opening: Opening) -> None:
    said["move"] = "fail"
    with pytest.raises(StageRefused):
        run()
    ran(heard)
    said["move"] = "warn"
    results = run(resume=True)
    assert ran(heard) == ORDER[ORDER.index("move") :]
    assert [result.name for result in results] == ORDER, "those that were skipped are in the answer"


def test_resume_does_not_trust_a_result_changed_by_hand(
    run: Exit, heard: Heard, said: Said, opening: Opening, site_file: Path
) -> None:
    said["move"] = "fail"
    with pytest.raises(StageRefused):
        run()
    ran(heard)
    path = result_path(site_file.parent / "state", "network")
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1'))
    said["move"] = "pass"
    run(resume=True)
    assert ran(heard) == ORDER[ORDER.index("network") :]


def test_without_resume_everything_runs_again(run: Exit, heard: Heard) -> None:
    run(until="network")
    run(until="network")
    assert ran(heard) == ORDER[:4] * 2


def test_it_ends_at_the_stage_that_is_named(run: Exit, heard: Heard, world: World) -> None:
    run(until="gate")
    assert ran(heard) == ORDER[: ORDER.index("gate") + 1]
    assert world.calls == []
    with pytest.raises(BadInput, match="no such stage; known: survey"):
        run(until="nosuch")


def test_a_dry_run_ends_with_the_preparation_and_leaves_nothing(
    run: Exit, heard: Heard, world: World, opening: Opening, site_file: Path
) -> None:
    run(dry_run=True)
    assert ran(heard) == ORDER[:3]
    assert world.calls == []
    with opening() as place:
        assert place.ledger.entries() == []
    assert not (site_file.parent / "state" / "stages").exists()


def test_errors_at_half_take_the_shop_back_and_stop_the_exit(run: Exit, heard: Heard, world: World) -> None:
    def sicken() -> None:
        world.target_errors = 0.5

    world.when["edge 198.18.0.10 shift 50"] = sicken
    with pytest.raises(StageRefused, match="cutover: fail: CUT-SHIFT share/50%") as refused:
        run()
    assert world.at_the_source()
    assert refused.value.result.figures["revert_s"] < 10
    assert ran(heard)[-1] == "cutover"


def test_an_interrupt_in_the_cutover_takes_the_shop_back(run: Exit, world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    world.when["dns 10.60.0.11"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        run()
    assert world.at_the_source()
    assert world.refused == 0


def test_a_long_soak_ends_the_run_before_finalize(
    run: Exit, heard: Heard, monkeypatch: pytest.MonkeyPatch, opening: Opening
) -> None:
    monkeypatch.setattr(finalize, "PATIENCE_S", 50.0)
    results = run()
    assert [result.name for result in results] == ran(heard) == ORDER[:-1]
    assert any("soaking until" in each for each in heard.said)
    with opening() as place:
        assert place.ledger.entries("milestone", FINAL) == []
        place.clock.sleep(101)
    assert run(resume=True)[-1].name == "finalize"
    assert ran(heard) == ["finalize"]


def test_findings_reach_the_stage_through_nested_tasks(opening: Opening, site_file: Path) -> None:
    @task(name="outer", cache_policy=NO_CACHE)
    def outer(draft: Draft) -> None:
        look(draft, "warn")
        assert current().site_file == site_file

    @flow(name="nested")
    def nested() -> StageResult:
        with stage("plan") as draft:
            outer(draft)
        return draft.result

    with opening():
        assert nested().verdict is Verdict.WARN
