"""The frame of a stage: what it leaves when it passes, is refused, is halted, breaks, or runs dry."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.finding import Waiver
from inventory.models.verdict import Verdict
from tasks.drivers.errors import ServiceFailed
from tasks.steps.stage import (
    Draft,
    Halt,
    StageRefused,
    read_result,
    result_path,
    stage,
    write_result,
)
from tasks.steps.status import done_before, exit_status
from tasks.steps.workplace import Workplace, current, opened
from tests.steps.conftest import Heard, Opening, finding, subjects
from tests.steps.fakes import World


def waive(place: Workplace, expires: date = date(2999, 1, 1), subject: str = "oslo-1") -> None:
    waiver = Waiver(
        check="TST-01", subject=subject, reason="known and accepted", approver="Kari", expires=expires
    )
    place.site = place.site.model_copy(update={"waivers": (waiver,)})


def test_a_passing_stage_leaves_intent_evidence_outcome_and_a_result(place: Workplace) -> None:
    with stage("plan") as draft:
        assert subjects(place) == ["intent stage/plan"], "the intent comes before the body"
        assert read_result(place.state, "plan") is None
        draft.add([finding()])
        draft.changes = 3
        draft.figures["rows"] = 7
    assert subjects(place) == ["intent stage/plan", "evidence stage/plan", "outcome stage/plan"]
    assert place.ledger.open_intents() == []
    kept = read_result(place.state, "plan")
    assert kept == draft.result
    assert kept is not None
    assert (kept.verdict, kept.changes, kept.figures) == (Verdict.PASS, 3, {"rows": 7})
    outcome = place.ledger.entries(kind="outcome")[-1].body
    digest = hashlib.sha256(result_path(place.state, "plan").read_bytes()).hexdigest()
    assert outcome["result_sha256"] == digest
    assert (outcome["verdict"], outcome["done"], outcome["findings"]) == ("pass", True, 1)
    assert place.ledger.checkpoint().size == 3


@pytest.mark.parametrize("verdict", ["fail", "nodata", "inconclusive", "error"])
def test_what_is_not_a_pass_is_refused_and_recorded(place: Workplace, verdict: str) -> None:
    with pytest.raises(StageRefused, match=f"plan: {verdict}: TST-01 oslo-1: it is {verdict}"):  # noqa: SIM117
        with stage("plan") as draft:
            draft.add([finding(), finding(verdict=verdict)])
    assert read_result(place.state, "plan") == draft.result
    assert place.ledger.entries(kind="outcome")[-1].body["verdict"] == verdict


def test_a_warning_goes_on_and_is_shown(place: Workplace, heard: Heard) -> None:
    with stage("plan") as draft:
        draft.add([finding(verdict="warn"), finding("TST-02")])
    assert draft.result.verdict is Verdict.WARN
    assert [each.code for each in heard.findings] == ["TST-01"]


def test_require_stops_the_rest_of_the_body(place: Workplace) -> None:
    with pytest.raises(StageRefused) as refused, stage("plan") as draft:
        draft.require(finding())
        draft.require(finding("TST-02", "fail"))
        pytest.fail("the body must not go on")
    assert refused.value.result.verdict is Verdict.FAIL
    assert [each.code for each in refused.value.result.findings] == ["TST-01", "TST-02"]


def test_a_halt_without_a_finding_that_stops_is_an_error_and_says_why(place: Workplace) -> None:
    with pytest.raises(StageRefused, match="the gate has not said go") as refused, stage("plan") as draft:
        draft.add([finding()])
        raise Halt("the gate has not said go")
    assert refused.value.result.verdict is Verdict.ERROR
    assert "the gate has not said go" in str(read_result(place.state, "plan"))


def test_an_exception_is_recorded_and_passes_through(place: Workplace, heard: Heard) -> None:
    with pytest.raises(ServiceFailed, match="rds: gone"), stage("plan") as draft:
        draft.add([finding()])
        raise ServiceFailed("rds", "gone")
    kept = read_result(place.state, "plan")
    assert kept is not None
    assert kept.verdict is Verdict.ERROR
    assert kept.findings == draft.result.findings
    outcome = place.ledger.entries(kind="outcome")[-1].body
    assert (outcome["done"], outcome["error"]) == (False, "ServiceFailed: rds: gone")
    assert [each.verdict for each in heard.ended] == [Verdict.ERROR]


def test_an_interrupt_is_recorded_as_well(place: Workplace) -> None:
    with pytest.raises(KeyboardInterrupt), stage("plan"):
        raise KeyboardInterrupt
    assert place.ledger.open_intents() == []
    assert exit_status(place.site_file).results[0].verdict is Verdict.ERROR


def test_a_dry_run_leaves_nothing(place: Workplace) -> None:
    waive(place)
    before = {path for path in place.state.rglob("*") if "ledger" not in path.parts}
    with stage("plan", dry_run=True) as draft:
        draft.add([finding(verdict="fail"), finding("TST-02")])
        draft.changes = 4
    assert draft.result.changes == 4
    assert place.ledger.entries() == []
    assert {path for path in place.state.rglob("*") if "ledger" not in path.parts} == before
    with pytest.raises(StageRefused), stage("plan", dry_run=True) as draft:
        draft.add([finding("TST-02", "fail")])
    assert place.ledger.entries() == []


def test_a_waiver_lets_its_check_through_and_stands_in_the_ledger(place: Workplace, heard: Heard) -> None:
    waive(place)
    with stage("plan") as draft:
        draft.add([finding(verdict="fail"), finding("TST-02")])
        draft.require(finding(verdict="fail"))
    assert draft.result.verdict is Verdict.PASS
    assert [each.waived_by for each in draft.result.findings] == ["Kari", None, "Kari"]
    waivers = place.ledger.entries(kind="waiver")
    assert [entry.subject for entry in waivers] == ["TST-01/oslo-1"] * 2
    assert waivers[0].body["waived_by"] == "Kari"
    assert all(each.waived_by for each in heard.findings), "a waived finding is shown every time"


def test_a_stage_of_waived_findings_only_is_a_warning(place: Workplace) -> None:
    waive(place)
    with stage("plan") as draft:
        draft.add([finding(verdict="fail")])
    assert draft.result.verdict is Verdict.WARN


@pytest.mark.parametrize(("expires", "subject"), [(date(2020, 1, 1), "oslo-1"), (date(2999, 1, 1), "oslo-2")])
def test_a_waiver_that_is_over_or_of_another_subject_waives_nothing(
    place: Workplace, expires: date, subject: str
) -> None:
    waive(place, expires, subject)
    with pytest.raises(StageRefused), stage("plan") as draft:
        draft.add([finding(verdict="fail")])
    assert place.ledger.entries(kind="waiver") == []


def test_the_result_is_there_only_after_the_stage(place: Workplace) -> None:
    with stage("plan") as draft, pytest.raises(LookupError):
        _ = draft.result
    assert draft.result.name == "plan"
    with pytest.raises(LookupError):
        _ = Draft().result


def run(*names: str) -> None:
    for name in names:
        with stage(name) as draft:
            draft.add([finding()])


def test_resume_knows_the_leading_stages_that_are_done(place: Workplace) -> None:
    run("survey", "plan", "network")
    names = ["survey", "plan", "prepare", "network"]
    assert list(done_before(place, names)) == ["survey", "plan"]


def test_resume_does_not_trust_a_result_that_failed(place: Workplace) -> None:
    run("survey")
    with pytest.raises(StageRefused), stage("plan") as draft:
        draft.add([finding(verdict="fail")])
    assert list(done_before(place, ["survey", "plan"])) == ["survey"]


@pytest.mark.parametrize("how", ["edited", "broken", "made up"])
def test_resume_does_not_trust_a_result_that_was_changed_by_hand(place: Workplace, how: str) -> None:
    run("survey")
    with pytest.raises(StageRefused), stage("plan") as draft:
        draft.add([finding(verdict="fail")])
    path = result_path(place.state, "plan")
    if how == "edited":
        path.write_text(path.read_text().replace('"fail"', '"pass"'))
    elif how == "broken":
        path.write_text("{")
    else:
        write_result(place.state, draft.result.model_copy(update={"verdict": Verdict.PASS, "findings": ()}))
    assert list(done_before(place, ["survey", "plan"])) == ["survey"]


def test_a_broken_result_is_named(place: Workplace) -> None:
    run("survey")
    result_path(place.state, "survey").write_text("{")
    with pytest.raises(BadInput, match=r"survey\.json.*run .*again"):
        read_result(place.state, "survey")


def test_the_status_shows_what_ran_and_what_was_left_open(place: Workplace) -> None:
    run("survey")
    place.ledger.append("intent", "edge/shift", {"percent": 10})
    status = exit_status(place.site_file)
    lines = status.lines()
    assert lines[0].startswith("survey") and "pass" in lines[0]
    assert lines[1].split() == ["plan", "not", "run"]
    assert lines[-1].startswith("unfinished: edge/shift (entry 3")
    document = status.as_json()
    assert [each["name"] for each in document["stages"]] == ["survey"]
    assert document["unfinished"][0]["subject"] == "edge/shift"


def test_a_site_is_opened_once_and_its_drivers_are_closed(opening: Opening, site_file: Path) -> None:
    with opening() as outer:
        with opened(site_file) as inner:
            assert inner is outer is current()
        assert current() is outer, "the inner one must not close what the outer one opened"
        assert not outer.drivers.closed  # type: ignore[attr-defined]  # the fake's own
    assert outer.drivers.closed  # type: ignore[attr-defined]  # the fake's own
    with pytest.raises(LookupError):
        current()


def test_a_bad_site_file_touches_nothing(site_file: Path, world: World) -> None:
    site_file.write_text(site_file.read_text().replace("schema:", "colour: red\nschema:"))
    before = sorted(site_file.parent.rglob("*"))
    with pytest.raises(BadInput, match="colour"), opened(site_file, make_drivers=world.drivers):
        pytest.fail("it must not open")
    assert sorted(site_file.parent.rglob("*")) == before
