"""A stage's frame: intent before it, result file and outcome after it, and the refusal to go on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.finding import Finding
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict, worst
from tasks.gates.decision import decide
from tasks.operations.diff import by_host
from tasks.steps.workplace import Workplace, current

HALTED = "halted"  # the figure that says why a stage ended where no finding does


class StageRefused(Exception):
    """A stage judged, and its verdict does not let the exit go on."""

    def __init__(self, result: StageResult) -> None:
        self.result = result
        stopping = [f for f in result.findings if not f.verdict.lets_go_on and not f.waived_by]
        named = "; ".join(f"{f.code} {f.subject}: {f.observed}" for f in stopping[:5])
        named = named or str(result.figures.get(HALTED, ""))
        super().__init__(f"{result.name}: {result.verdict}" + (f": {named}" if named else ""))


class Halt(Exception):
    """Ends the body of a stage; the findings say why, and their verdict becomes the stage's."""


@dataclass
class Draft:
    """What a stage fills in while it runs."""

    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    changes: int = 0
    verdict: Verdict | None = None  # set only where no finding expresses it
    dry_run: bool = False
    planned: list[Change] = field(default_factory=list)  # what a dry run found
    _result: StageResult | None = None

    @property
    def result(self) -> StageResult:
        """What the stage came to, once its frame is closed."""
        if self._result is None:
            raise LookupError("the stage is not over yet")
        return self._result

    def add(self, findings: Iterable[Finding]) -> None:
        """Take findings, with the site's waivers applied, and show those that are not a plain pass."""
        place = current()
        judged = decide(findings, place.site.waivers, place.clock.now().date()).findings
        for finding in judged:
            if finding.verdict is not Verdict.PASS:
                place.progress.found(finding)
            if finding.waived_by and not self.dry_run:
                body = finding.model_dump(mode="json", exclude={"evidence"})
                place.ledger.append("waiver", f"{finding.code}/{finding.subject}", body)
        self.findings.extend(judged)

    def require(self, finding: Finding) -> None:
        """Take a finding that the rest of the stage depends on. Raises Halt where it stops."""
        self.add([finding])
        last = self.findings[-1]
        if not last.verdict.lets_go_on and not last.waived_by:
            raise Halt(last.code)

    def would(self, what: str) -> None:
        """Show, in a dry run, one thing that a real run would do; the figure `would` keeps them in order."""
        self.figures.setdefault("would", []).append(what)
        current().progress.say(f"would {what}")

    def concluded(self) -> Verdict:
        """The worst of what counts; a stage that judged nothing passes by having been done."""
        counted = [f.verdict for f in self.findings if not f.waived_by]
        if self.verdict is not None:
            counted.append(self.verdict)
        if self.findings and not counted:
            return Verdict.WARN  # everything that was judged is waived
        return worst(counted) if counted else Verdict.PASS


def result_path(state: Path, name: str) -> Path:
    """Where the result of a stage is kept."""
    return state / "stages" / f"{name}.json"


def read_result(state: Path, name: str) -> StageResult | None:
    """The last result of a stage, or None where it has not run. Raises BadInput for a broken file."""
    path = result_path(state, name)
    if not path.exists():
        return None
    try:
        return StageResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"is not a stage's result ({first['msg']}): run {name} again", path) from error


def write_result(state: Path, result: StageResult) -> str:
    """Keep a result, atomically; its SHA-256 (hex)."""
    path = result_path(state, result.name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = result.model_dump_json(indent=1).encode()
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def stage(name: str, *, dry_run: bool = False) -> Iterator[Draft]:
    """Run a stage's body inside its frame.

    Raises StageRefused where the verdict does not let the exit go on; an exception of the body is recorded
    as the outcome and passes through. A dry run leaves neither a result nor a ledger entry.
    """
    place = current()
    draft = Draft(dry_run=dry_run)
    started_at, start = place.clock.now(), time.monotonic()
    place.progress.stage_started(name)

    def conclude(verdict: Verdict) -> StageResult:
        draft._result = StageResult(
            name=name,
            verdict=verdict,
            started_at=started_at,
            seconds=round(time.monotonic() - start, 3),
            changes=draft.changes,
            findings=tuple(draft.findings),
            figures=draft.figures,
        )
        place.progress.stage_ended(draft.result)
        return draft.result

    if dry_run:
        yield from _body(draft)
        _show(draft)
        conclude(draft.concluded())
    else:
        with place.ledger.effect(f"stage/{name}", {}) as effect:
            try:
                yield from _body(draft)
            except BaseException:
                write_result(place.state, conclude(Verdict.ERROR))
                raise
            result = conclude(draft.concluded())
            _record_evidence(place, result)
            effect.outcome = {
                "verdict": str(result.verdict),
                "changes": result.changes,
                "findings": len(result.findings),
                "result_sha256": write_result(place.state, result),
            }
        place.ledger.checkpoint()
    if not draft.result.verdict.lets_go_on:
        raise StageRefused(draft.result)


def _body(draft: Draft) -> Iterator[Draft]:
    try:
        yield draft
    except Halt as halt:
        if draft.concluded().lets_go_on:  # a halt without a finding that stops would pass unseen
            draft.verdict = Verdict.ERROR
            draft.figures[HALTED] = str(halt)
    finally:
        current().drivers.unlock_hosts()  # a run waits for people between its stages, for days


def _show(draft: Draft) -> None:
    """What a real run would change, as a unified diff for each host."""
    diffs = by_host(draft.planned)
    for host, diff in diffs.items():
        changes = sum(change.host == host for change in draft.planned)
        current().progress.say(f"{host}: {changes} changes\n{diff}")
    draft.figures["diff"] = diffs


def _record_evidence(place: Workplace, result: StageResult) -> None:
    if not result.findings:
        return
    body = [
        {
            "code": f.code,
            "subject": f.subject,
            "verdict": str(f.verdict),
            "evidence": [e.digest for e in f.evidence],
        }
        for f in result.findings
    ]
    place.ledger.append("evidence", f"stage/{result.name}", {"findings": body})
