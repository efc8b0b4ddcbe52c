"""gate: latency and residency, and the decision that an approver signs."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import exchanges
from tasks.steps import gate as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="gate")
def gate(site: str, dry_run: bool = False) -> StageResult:
    """Judge the replayed rounds and the residency controls; decide. A dry run records nothing."""
    with opened(site), stage("gate", dry_run=dry_run) as draft:
        steps.judge_latency(draft)
        exchanges.judge_round_trips(draft)
        steps.judge_residency(draft)
        steps.decide(draft)
    return draft.result
