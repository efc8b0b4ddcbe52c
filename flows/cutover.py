"""cutover: traffic step by step, then the database, then DNS; back by itself where a step does not pass."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.drivers.errors import OutsideError
from tasks.steps import cutover as steps
from tasks.steps.stage import Halt, stage
from tasks.steps.workplace import opened


@flow(name="cutover")
def cutover(site: str, dry_run: bool = False) -> StageResult:
    """Shift, change over, switch. On any doubt all traffic goes back to the source at once."""
    with opened(site) as place, stage("cutover", dry_run=dry_run) as draft:
        steps.require_approval(draft)
        if dry_run:
            steps.show_steps()
        else:
            try:
                steps.judge_baseline(draft)
                for percent in place.site.cutover.steps_percent:
                    steps.shift(draft, percent)
                steps.change_database(draft)
                steps.switch_dns(draft)
            except (Halt, OutsideError, KeyboardInterrupt):
                steps.revert(draft)
                raise
    return draft.result
