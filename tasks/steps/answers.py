"""Do source and target answer the captured requests the same? A finding, and the differences for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.evidence import observed
from tasks.replay.capture import Capture
from tasks.replay.compare_run import compare_capture
from tasks.replay.comparison import Rules
from tasks.replay.declared import ca_file_of
from tasks.replay.target_url import Endpoint
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

CODE = "RPL-ANSWERS"


def compare_answers(draft: Draft, capture: Capture, sides: tuple[Endpoint, Endpoint]) -> None:
    """Ask both sides the capture's most frequent requests; keeps answers/ for people.

    Raises BadInput for an ignore rule that is none, HostUnreachable where a side does not answer.
    """
    place = current()
    wanted = place.site.replay.answers
    if not wanted.requests:
        return
    folder = place.state / "answers"

    def told(done: int, total: int) -> None:
        place.progress.step("comparing answers", done, total)

    rules = Rules(wanted.ignore_json, wanted.ignore, wanted.headers)
    ca_files = (ca_file_of(place.site.replay, "source"), ca_file_of(place.site.replay, "target"))
    result = compare_capture(capture, sides, folder, rules, wanted.requests, told, ca_files)
    counts = ("compared", "same", "different", "varying", "unanswered", "learned_noise")
    draft.figures["answers"] = {name: result[name] for name in counts}
    said = (folder / "comparison.json").read_bytes()
    draft.add([judged(result, folder, observed(place.clock, "safe-harbor replay compare", said))])


def judged(result: dict[str, Any], folder: Path, evidence: Evidence) -> Finding:
    """`result` as comparison.json has it. Nothing that could be compared is no data."""
    if result["equal"]:
        verdict, remedy = Verdict.PASS, ""
    elif result["different"] or result["unanswered"]:
        verdict, remedy = Verdict.FAIL, f"read {folder / 'differences.diff'}; mend it, or ignore it by a rule"
    else:
        verdict, remedy = Verdict.NODATA, "capture requests whose answers are the same twice"
    observation = (
        f"{result['same']} of {result['compared']} distinct requests are answered the same, "
        f"{result['different']} differently, {result['unanswered']} without an answer; "
        f"{result['varying']} vary at the source itself"
    )
    if verdict is Verdict.FAIL:
        observation += f"; the first: {result['first_differences'][0]['request']}"
    return Finding(
        code=CODE,
        subject="shop",
        verdict=verdict,
        observed=observation,
        expected="source and target answer the same, beside what varies at the source itself",
        evidence=(evidence,),
        remedy=remedy,
        severity=Severity.CRITICAL,
    )
