"""The whole exit: every stage in its order, stopped by the first that does not pass."""

from __future__ import annotations

from prefect import flow

from flows.approve import approve
from flows.cutover import cutover
from flows.finalize import finalize
from flows.gate import gate
from flows.move import move
from flows.network import network
from flows.plan import plan
from flows.prepare import prepare
from flows.replay import replay
from flows.rollback import rollback
from flows.survey import survey
from inventory.models.stage import StageResult
from tasks.steps.status import done_before
from tasks.steps.workplace import opened

EXIT = (survey, plan, prepare, network, move, replay, gate, approve, cutover, finalize)
FLOWS = {each.name: each for each in (*EXIT, rollback)}
BEFORE_ANY_CHANGE = ("survey", "plan")


@flow(name="exit")
def exit_flow(site: str, resume: bool = False, dry_run: bool = False) -> list[StageResult]:
    """Run the stages in order. Raises StageRefused at the first that does not pass.

    `resume` skips the stages that are done; `dry_run` runs those that change nothing, and shows what the
    preparation of the nodes would change: everything later depends on changes that were not made.
    """
    with opened(site) as place:
        stages = EXIT[: EXIT.index(prepare) + 1] if dry_run else EXIT
        skipped = done_before(place, [each.name for each in stages]) if resume else {}
        return [
            skipped[each.name] if each.name in skipped else each(site, dry_run=dry_run) for each in stages
        ]
