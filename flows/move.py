"""move: the data services of the target, then images, database, bucket and objects."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import move as steps
from tasks.steps import move_plan
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="move")
def move(site: str, dry_run: bool = False) -> StageResult:
    """Copy everything that is not there yet, and prove that it is the same. Repeat it as you like."""
    with opened(site), stage("move", dry_run=dry_run) as draft:
        steps.judge_policies(draft)
        steps.raise_services(draft, dry_run=dry_run)
        if dry_run:
            move_plan.show_copies(draft)
        else:
            steps.copy_images(draft)
            steps.copy_database(draft)
            steps.copy_bucket(draft)
            steps.copy_objects(draft)
        steps.open_edge(draft, dry_run=dry_run)
        steps.lower_ttl(draft, dry_run=dry_run)
    return draft.result
