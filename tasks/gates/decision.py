"""Findings and waivers -> go or no-go.

Every finding counts: only `pass` and `warn` let the exit go on, whatever the severity, and no findings at all
is no-go. A waiver lets one check through on its subject (`*`: on all), until and with the day on which it
expires; the finding keeps its verdict and is shown with the approver's name. The digest is what an approver
signs: the same evidence, waivers and policy have the same digest on any machine, whatever their order, its
time zone, locale or hash seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import rfc8785
from pydantic import BaseModel

from inventory.models.finding import Finding, Waiver
from inventory.models.policy import Policy


@dataclass(frozen=True)
class Decision:
    """`findings` as judged, waived ones marked; `digest` is SHA-256 (hex) over the RFC 8785 JSON
    of findings, applied waivers and policy."""

    verdict: Literal["go", "no-go"]
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    applied: tuple[Waiver, ...]
    expired: tuple[Waiver, ...]
    digest: str

    @property
    def go(self) -> bool:
        """Whether the exit may go on to the approval."""
        return self.verdict == "go"


def decide(
    findings: Iterable[Finding], waivers: Iterable[Waiver], today: date, policy: Policy | None = None
) -> Decision:
    """Judges them; `today` decides which waivers have expired. `policy`, which weighed them, is signed."""
    waivers = tuple(waivers)
    valid = [waiver for waiver in waivers if waiver.expires >= today]
    judged: list[Finding] = []
    applied: list[Waiver] = []
    reasons: list[str] = []
    for finding in sorted(findings, key=_order):
        waiver = None if finding.verdict.lets_go_on else _waiver_for(finding, valid)
        if waiver is not None and waiver not in applied:
            applied.append(waiver)
        finding = finding.model_copy(update={"waived_by": waiver.approver if waiver else None})
        judged.append(finding)
        if not finding.verdict.lets_go_on and waiver is None:
            reasons.append(f"{finding.code} {finding.subject}: {finding.verdict.value}, {finding.observed}")
    if not judged:
        reasons.append("nothing was judged")
    return Decision(
        "no-go" if reasons else "go",
        tuple(reasons),
        tuple(judged),
        tuple(applied),
        tuple(waiver for waiver in waivers if waiver.expires < today),
        digest_of(
            {
                "findings": [_plain(f) for f in judged],
                "waivers": [_plain(w) for w in applied],
                "policy": _plain(policy) if policy else None,
            }
        ),
    )


def digest_of(evidence: Any) -> str:
    """SHA-256 (hex) over the canonical JSON (RFC 8785) of JSON-like values."""
    return hashlib.sha256(rfc8785.dumps(evidence)).hexdigest()


def _waiver_for(finding: Finding, waivers: list[Waiver]) -> Waiver | None:
    fitting = [w for w in waivers if w.check == finding.code and w.subject in (finding.subject, "*")]
    return min(fitting, key=lambda w: (w.subject == "*", w.approver, w.expires), default=None)


def _order(finding: Finding) -> tuple[str, str, bytes]:
    return finding.code, finding.subject, rfc8785.dumps(_plain(finding))


def _plain(model: BaseModel) -> Any:
    return model.model_dump(mode="json")
