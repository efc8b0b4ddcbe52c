"""Which checks are asked again: only those that could not observe."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.dataplane.observing import Line
from tasks.checks.registry import Check, judge, judge_patiently
from tasks.drivers.errors import ServiceFailed

BUSY = ServiceFailed("pod", "the program did not end in 60 s")


def answering(code: str, asked: list[str], *answers: Verdict | ServiceFailed) -> Check:
    left = list(answers)

    def run(_: object) -> Iterable[Finding]:
        asked.append(code)
        answer = left.pop(0)
        if isinstance(answer, ServiceFailed):
            raise answer
        return [Line(code, "it works").says(answer, "node", "seen", (), "mend it")]

    return Check(code, "it works", "dataplane", Severity.HIGH, run)


def test_what_could_not_observe_is_asked_once_more_and_that_answer_counts() -> None:
    asked: list[str] = []
    checks = [
        answering("BUSY", asked, BUSY, Verdict.PASS),
        answering("DEAD", asked, BUSY, BUSY),
        answering("FAILED", asked, Verdict.FAIL),
        answering("GOOD", asked, Verdict.PASS),
    ]
    found = {each.code: each.verdict for each in judge_patiently(checks, None)}
    assert asked == ["BUSY", "DEAD", "FAILED", "GOOD", "BUSY", "DEAD"]
    assert found == {
        "BUSY": Verdict.PASS,
        "DEAD": Verdict.ERROR,
        "FAILED": Verdict.FAIL,
        "GOOD": Verdict.PASS,
    }


def test_judge_itself_asks_once() -> None:
    asked: list[str] = []
    (found,) = judge([answering("BUSY", asked, BUSY, Verdict.PASS)], None)
    assert found.verdict is Verdict.ERROR
    assert asked == ["BUSY"]
