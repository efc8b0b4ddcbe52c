"""capacity: the rate that the target holds, found by steps."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import capacity as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="capacity")
def capacity(site: str, dry_run: bool = False) -> StageResult:
    """Load the target's edge in steps until something breaks; judge what it holds. Changes nothing."""
    with opened(site), stage("capacity", dry_run=dry_run) as draft:
        steps.judge_target(draft, dry_run=dry_run)
    return draft.result
