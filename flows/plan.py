"""plan: what an exit would create, move and change, on one page."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import plan as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="plan")
def plan(site: str, dry_run: bool = False) -> StageResult:
    """Draw up the plan from the last survey and show it. Changes nothing, dry run or not."""
    del dry_run
    with opened(site), stage("plan") as draft:
        steps.draw_up(draft)
    return draft.result
