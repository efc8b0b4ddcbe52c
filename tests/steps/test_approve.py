"""The approval: standing, by a person at the prompt, by a form; and everything that is not one."""

from __future__ import annotations

from typing import Any

import pytest

from flows.approve import approve
from inventory.models.verdict import Verdict
from tasks.steps import approve as steps
from tasks.steps.cutover import require_approval
from tasks.steps.stage import Draft, Halt, StageRefused, stage, write_result
from tasks.steps.workplace import Workplace
from tests.steps.conftest import finding

DIGEST = "ab" * 32
GIVEN: dict[str, Any] = {
    "approve": True,
    "approver": "Kari Nordmann",
    "reason": "I have read the report.",
    "evidence_digest": DIGEST,
}

pytestmark = pytest.mark.usefixtures("plain_tasks")


def gate_says(place: Workplace, *, go: bool = True, digest: str = DIGEST) -> None:
    decision = {"go": go, "digest": digest, "reasons": []}
    with stage("gate") as draft:
        draft.add([finding()])
        draft.figures["decision"] = decision
        place.ledger.append("decision", "gate", decision)


def person(given: dict[str, Any]) -> Draft:
    with stage("approve") as draft:
        steps.take_approval(draft, DIGEST, **given)
    return draft


def test_the_standing_approval_of_the_site_file(place: Workplace) -> None:
    gate_says(place)
    result = approve.fn(str(place.site_file))
    (entry,) = place.ledger.entries(kind="approval")
    assert entry.subject == "cutover"
    assert entry.body == {
        "digest": DIGEST,
        "approver": "Kari Nordmann",
        "reason": "The tests of the cutover.",
        "how": "standing, from the site file",
    }
    assert result.figures["approver"] == "Kari Nordmann"
    draft = Draft()
    require_approval(draft)
    assert draft.findings[0].verdict is Verdict.PASS


def test_a_person_approves(place: Workplace) -> None:
    gate_says(place)
    assert person(GIVEN).result.figures["how"] == "given by a person"
    assert steps.approved_digest() == DIGEST


@pytest.mark.parametrize(
    ("part", "value", "because"),
    [
        ("approve", False, "it does not approve"),
        ("approver", "  ", "it names no approver"),
        ("reason", "ok", "its reason is shorter than 10 characters"),
        ("evidence_digest", "cd" * 32, "its digest is not that of the gate's evidence"),
        ("evidence_digest", DIGEST[:16], "its digest is not that of the gate's evidence"),
        ("evidence_digest", "", "its digest is not that of the gate's evidence"),
    ],
)
def test_an_approval_with_a_part_missing_is_none(
    place: Workplace, part: str, value: object, because: str
) -> None:
    gate_says(place)
    with pytest.raises(StageRefused, match=f"no approval: {because}") as refused:
        person({**GIVEN, part: value})
    assert refused.value.result.verdict is Verdict.FAIL
    assert place.ledger.entries(kind="approval") == []
    (entry,) = place.ledger.entries(kind="decision", subject="approval/refused")
    assert entry.body["because"] == [because]
    with pytest.raises(Halt):
        require_approval(Draft())


def test_every_missing_part_is_named(place: Workplace) -> None:
    gate_says(place)
    with pytest.raises(StageRefused, match=r"does not approve.*no approver.*reason.*digest"):
        person({"approve": False, "approver": "", "reason": "", "evidence_digest": ""})


def test_nothing_can_be_approved_before_the_gate(place: Workplace) -> None:
    with pytest.raises(StageRefused, match="the gate has not said go"):
        approve.fn(str(place.site_file))
    assert place.ledger.entries(kind="approval") == []


def test_a_no_go_cannot_be_approved(place: Workplace) -> None:
    gate_says(place, go=False)
    with pytest.raises(StageRefused, match="the gate has not said go"):
        approve.fn(str(place.site_file))


def test_a_gate_result_made_by_hand_is_not_signed(place: Workplace) -> None:
    gate_says(place, go=False)
    with stage("plan") as draft:
        draft.figures["decision"] = {"go": True, "digest": DIGEST}
    write_result(place.state, draft.result.model_copy(update={"name": "gate"}))
    with pytest.raises(StageRefused, match="the gate has not said go"):
        approve.fn(str(place.site_file))
    assert place.ledger.entries(kind="approval") == []


def test_an_approval_of_older_evidence_does_not_count(place: Workplace) -> None:
    gate_says(place)
    person(GIVEN)
    gate_says(place, digest="cd" * 32)
    with pytest.raises(StageRefused) as refused, stage("cutover") as draft:
        require_approval(draft)
    assert refused.value.result.findings[0].code == "CUT-APPROVED"
    assert "the evidence has changed" in refused.value.result.findings[0].remedy


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    left = list(lines)

    def given(prompt: str = "") -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", given)


def at_the_prompt() -> Draft:
    with stage("approve") as draft:
        steps.ask_at_the_prompt(draft, DIGEST)
    return draft


def test_the_prompt_takes_the_first_digits_and_keeps_stdout_free(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate_says(place)
    answers(monkeypatch, "Kari Nordmann", "I have read the report.", DIGEST[:16])
    assert at_the_prompt().result.verdict is Verdict.PASS
    assert steps.approved_digest() == DIGEST
    said = capsys.readouterr()
    assert said.out == ""
    assert DIGEST in said.err


@pytest.mark.parametrize(
    "lines",
    [
        ("Kari", "I have read the report.", ""),
        ("Kari", "I have read the report.", DIGEST[:15]),
        ("Kari", "I have read the report.", "f" * 16),
        ("Kari", "no", DIGEST[:16]),
        ("Kari",),  # the end of the input in the middle
        (),
    ],
)
def test_the_prompt_refuses(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...]
) -> None:
    gate_says(place)
    answers(monkeypatch, *lines)
    with pytest.raises(StageRefused, match="no approval"):
        at_the_prompt()
    assert place.ledger.entries(kind="approval") == []
