"""A stage's frame: intent before it, result file and outcome after it, and the refusal to go on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inventory.models.finding import Finding
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict, worst
from tasks.gates.decision import apply_waivers
from tasks.steps.workplace import Workplace, current


class StageRefused(Exception):
    """A stage judged, and its verdict does not let the exit go on."""

    def __init__(self, result: StageResult) -> None:
        self.result = result
        stopping = [f for f in result.findings if not f.verdict.lets_go_on and not f.waived_by]
        named = "; ".join(f"{f.code} {f.subject}: {f.observed}" for f in stopping[:5])
        super().__init__(f"{result.name}: {result.verdict}" + (f": {named}" if named else ""))


@dataclass
class Draft:
    """What a stage fills in while it runs."""

    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    changes: int = 0
    verdict: Verdict | None = None  # set only where no finding expresses it

    def add(self, findings: Iterable[Finding]) -> None:
        """Take findings, with the site's waivers applied, and show those that are not a plain pass."""
        place = current()
        judged = apply_waivers(list(findings), place.site.waivers, place.clock.now().date())
        for finding in judged:
            if finding.verdict is not Verdict.PASS:
                place.progress.found(finding)
            if finding.waived_by:
                body = finding.model_dump(mode="json", exclude={"evidence"})
                place.ledger.append("waiver", f"{finding.code}/{finding.subject}", body)
        self.findings.extend(judged)

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
    """The last result of a stage, or None where it has not run."""
    path = result_path(state, name)
    return StageResult.model_validate_json(path.read_bytes()) if path.exists() else None


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
def stage(name: str, **intent: Any) -> Iterator[Draft]:
    """Run a stage's body inside its frame.

    Raises StageRefused where the verdict does not let the exit go on; an exception of the body is recorded
    as the outcome and passes through.
    """
    place = current()
    draft = Draft()
    started_at, start = place.clock.now(), time.monotonic()
    place.progress.stage_started(name)

    def conclude(verdict: Verdict) -> tuple[StageResult, str]:
        result = StageResult(
            name=name,
            verdict=verdict,
            started_at=started_at,
            seconds=round(time.monotonic() - start, 3),
            changes=draft.changes,
            findings=tuple(draft.findings),
            figures=draft.figures,
        )
        digest = write_result(place.state, result)
        place.progress.stage_ended(result)
        return result, digest

    with place.ledger.effect(f"stage/{name}", intent) as effect:
        try:
            yield draft
        except BaseException:
            conclude(Verdict.ERROR)
            raise
        result, digest = conclude(draft.concluded())
        _record_evidence(place, result)
        effect.outcome = {
            "verdict": str(result.verdict),
            "changes": result.changes,
            "findings": len(result.findings),
            "result_sha256": digest,
        }
    place.ledger.checkpoint()
    if not result.verdict.lets_go_on:
        raise StageRefused(result)


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
