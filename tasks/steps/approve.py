"""The approval: whose, why, and of exactly which evidence."""

from __future__ import annotations

import sys

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.steps.stage import Draft, Halt, read_result
from tasks.steps.workplace import current

CODE = "APP-DIGEST"
SHOWN_DIGITS = 16


def digest_to_sign() -> str:
    """The digest (hex) of the gate's decision, as the ledger has it. Raises Halt where it does not say go."""
    place = current()
    gate, decisions = read_result(place.state, "gate"), place.ledger.entries("decision", "gate")
    if gate is None or not gate.verdict.lets_go_on or not decisions or not decisions[-1].body.get("go"):
        raise Halt("the gate has not said go: run it (`safe-harbor judge SITE`)")
    return str(decisions[-1].body["digest"])


@task(name="show way", cache_policy=NO_CACHE)
def show_way(draft: Draft, digest: str, *, at_prompt: bool, patience_s: float) -> None:
    """Who would be asked how to approve which digest; nobody is, and nothing is recorded."""
    standing = current().site.approval
    if standing is not None:
        draft.would(f"record the approval of {digest} by {standing.approver}, standing in the site file")
    elif at_prompt:
        draft.would(f"ask at the prompt for name, reason, and the first {SHOWN_DIGITS} digits of {digest}")
    else:
        draft.would(f"wait up to {patience_s / 3600:g} h for an approval of {digest} in the Prefect UI")


@task(name="take standing approval", cache_policy=NO_CACHE)
def take_standing_approval(draft: Draft, digest: str) -> None:
    """The approval that the site file gives beforehand, for the evidence at hand."""
    standing = current().site.approval
    if standing is None:
        raise Halt("the site file names no standing approver")
    _record(draft, digest, standing.approver, standing.reason, how="standing, from the site file")


@task(name="ask at the prompt", cache_policy=NO_CACHE)
def ask_at_the_prompt(draft: Draft, digest: str) -> None:
    """Ask the person at the terminal for name, reason, and the first digits of the digest."""
    current().progress.pause()
    # Asked on stderr: stdout may be promised to one JSON document.
    sys.stderr.write(f"\nThe gate says go. Its evidence has the digest\n  {digest}\nread `report`, then:\n")
    approver = _typed("your name: ")
    reason = _typed("your reason: ")
    typed = _typed(f"the first {SHOWN_DIGITS} digits of the digest (empty: do not approve): ")
    wanted = digest if typed and digest.startswith(typed) and len(typed) >= SHOWN_DIGITS else typed
    take_approval(draft, digest, bool(typed), approver, reason, wanted)


def _typed(prompt: str) -> str:
    """A line of the terminal; empty where the person ends the input instead."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    try:
        return input().strip()
    except EOFError:
        return ""


@task(name="take approval", cache_policy=NO_CACHE)
def take_approval(
    draft: Draft, digest: str, approve: bool, approver: str, reason: str, evidence_digest: str
) -> None:
    """Take what a person gave. Every part of it must be there, and the digest must be the gate's."""
    wrong = [
        what
        for what, is_wrong in (
            ("it does not approve", not approve),
            ("it names no approver", not approver.strip()),
            ("its reason is shorter than 10 characters", len(reason.strip()) < 10),
            ("its digest is not that of the gate's evidence", evidence_digest != digest),
        )
        if is_wrong
    ]
    if wrong:
        current().ledger.append(
            "decision", "approval/refused", {"digest": digest, "approver": approver, "because": wrong}
        )
        draft.require(_finding(Verdict.FAIL, digest, "no approval: " + ", ".join(wrong)))
    _record(draft, digest, approver.strip(), reason.strip(), how="given by a person")


def _record(draft: Draft, digest: str, approver: str, reason: str, how: str) -> None:
    place = current()
    place.ledger.append(
        "approval",
        "cutover",
        {"digest": digest, "approver": approver, "reason": reason, "how": how},
    )
    place.ledger.checkpoint()
    draft.figures |= {"digest": digest, "approver": approver, "reason": reason, "how": how}
    draft.add([_finding(Verdict.PASS, digest, f"approved by {approver} ({how})")])


def _finding(verdict: Verdict, digest: str, observed: str) -> Finding:
    return Finding(
        code=CODE,
        subject=f"decision/{digest[:SHOWN_DIGITS]}",
        verdict=verdict,
        observed=observed,
        expected="an approver, a reason, and the digest of the gate's evidence",
        remedy="" if verdict is Verdict.PASS else "`safe-harbor approve SITE`, then `run SITE --resume`",
        severity=Severity.CRITICAL,
    )


def approved_digest() -> str | None:
    """The digest of the last approval in the ledger, or None."""
    approvals = current().ledger.entries(kind="approval", subject="cutover")
    return str(approvals[-1].body["digest"]) if approvals else None
