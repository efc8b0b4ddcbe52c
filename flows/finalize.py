"""finalize: what is left at the source is stopped. The point of no return."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import finalize as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="finalize")
def finalize(site: str, dry_run: bool = False) -> StageResult:
    """Stop the source. Refused before the soak is over, and where no cutover stands."""
    with opened(site), stage("finalize", dry_run=dry_run) as draft:
        steps.require_soaked(draft)
        if dry_run:
            steps.show_what_stops()
        else:
            steps.call_it_final()
            steps.stop_workloads(draft)
            steps.stop_replication(draft)
            steps.stop_instances(draft)
            steps.judge_what_is_left(draft)
    return draft.result
