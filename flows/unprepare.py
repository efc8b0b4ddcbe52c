"""unprepare: the nodes' settings back to what they were before `prepare`."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import unprepare as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="unprepare")
def unprepare(site: str, dry_run: bool = False) -> StageResult:
    """Restore what the record on each host says was there. A second run finds no record, and does nothing."""
    with opened(site), stage("unprepare", dry_run=dry_run) as draft:
        records = steps.read_records(draft)
        if draft.concluded().lets_go_on:
            steps.restore_settings(draft, records, dry_run=dry_run)
    return draft.result
