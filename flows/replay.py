"""replay: real traffic against both sides, in interleaved rounds."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import replay as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="replay")
def replay(site: str, dry_run: bool = False) -> StageResult:
    """Replay rounds until the latency gate can decide, or all of them are spent. A dry run sends nothing."""
    with opened(site), stage("replay", dry_run=dry_run) as draft:
        if dry_run:
            steps.show_load(draft)
        else:
            steps.replay_rounds(draft)
    return draft.result
