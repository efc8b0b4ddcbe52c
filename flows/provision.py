"""provision: machines on KVM hosts for the declared nodes that do not exist yet; or their removal."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import provision as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="provision")
def provision(site: str, dry_run: bool = False, destroy: bool = False) -> StageResult:
    """Make what is missing, until it is usable; with `destroy`, remove what carries the site's mark."""
    with opened(site), stage("provision", dry_run=dry_run) as draft:
        if destroy:
            steps.remove_machines(draft, dry_run=dry_run)
        else:
            size = steps.verify_image()
            begun = steps.make_machines(draft, size, dry_run=dry_run)
            if not dry_run:
                steps.await_nodes(draft, begun)
    return draft.result
