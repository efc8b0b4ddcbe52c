"""survey: what exists on AWS and in both clusters."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import survey as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="survey")
def survey(site: str, dry_run: bool = False) -> StageResult:
    """Enumerate, write survey.json, compare declared with found. Changes nothing, dry run or not."""
    del dry_run
    with opened(site), stage("survey") as draft:
        taken = steps.enumerate_everything(draft)
        steps.compare_with_declared(draft, taken)
        steps.judge_workloads(draft)
    return draft.result
