"""approve: a person takes the decision over, with name, reason and the digest of the evidence."""

from __future__ import annotations

import sys

from prefect import flow
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

from inventory.models.stage import StageResult
from tasks.steps import approve as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened

PATIENCE_S = 24 * 3600
POLL_S = 2


class Approval(RunInput):
    """What the approver fills in. A resume without input must not approve: hence the defaults."""

    approve: bool = False
    approver: str = ""
    reason: str = ""
    evidence_digest: str = ""


@flow(name="approve")
def approve(site: str, dry_run: bool = False) -> StageResult:
    """Take the site's standing approval, or ask at the prompt, or wait for the form in the UI.

    A dry run says which of these, and neither asks nor approves.
    """
    with opened(site) as place, stage("approve", dry_run=dry_run) as draft:
        digest = steps.digest_to_sign()
        if dry_run:
            steps.show_way(draft, digest, at_prompt=sys.stdin.isatty(), patience_s=PATIENCE_S)
        elif place.site.approval is not None:
            steps.take_standing_approval(draft, digest)
        elif sys.stdin.isatty():
            steps.ask_at_the_prompt(draft, digest)
        else:
            place.progress.step(f"waiting for an approval of {digest[:16]} in the Prefect UI")
            try:
                given = pause_flow_run(wait_for_input=Approval, timeout=PATIENCE_S, poll_interval=POLL_S)
            except FlowPauseTimeout:
                place.progress.say(f"nobody approved within {PATIENCE_S / 3600:g} h")
                given = Approval()  # which approves nothing
            steps.take_approval(
                draft, digest, given.approve, given.approver, given.reason, given.evidence_digest
            )
    return draft.result
