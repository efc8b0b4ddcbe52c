"""rollback: the shop back at the source, with every order that was made at the target."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import rollback as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="rollback")
def rollback(site: str, dry_run: bool = False) -> StageResult:
    """Read the ledger and the world, and undo what they show: database, traffic, DNS. Refused once final."""
    with opened(site), stage("rollback", dry_run=dry_run) as draft:
        steps.require_not_final(draft)
        steps.show_state(draft)
        if not dry_run:
            steps.take_database_back(draft)
            steps.take_traffic_back(draft)
            steps.take_dns_back(draft)
    return draft.result
