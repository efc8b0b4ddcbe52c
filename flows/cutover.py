"""cutover: traffic step by step, then the database, then DNS; back by itself where a step does not pass."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import cutover as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="cutover")
def cutover(site: str, dry_run: bool = False) -> StageResult:
    """Shift, change over, switch. On any doubt all traffic goes back to the source at once."""
    with opened(site) as place, stage("cutover", dry_run=dry_run) as draft:
        steps.require_approval(draft)
        if dry_run:
            steps.show_steps()
        elif steps.begin(draft):
            steps.judge_baseline(draft)  # nothing has been shifted yet: a refusal needs no way back
            try:
                for percent in place.site.cutover.steps_percent:
                    steps.shift(draft, percent)
                steps.change_database(draft)
                steps.switch_dns(draft)
            except BaseException:  # whatever it is: first the shop
                steps.revert(draft)
                raise
    return draft.result
