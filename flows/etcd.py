"""etcd: a backup of everything that the cluster knows, and the way back to one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import cluster
from tasks.steps import etcd as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened

Action = Literal["backup", "restore"]


@flow(name="etcd")
def etcd(site: str, action: Action, file: str, dry_run: bool = False) -> StageResult:
    """Save a snapshot to `file`, or put the cluster back to the one in `file`; a restore proves itself."""
    with opened(site), stage(f"etcd-{action}", dry_run=dry_run) as draft:
        if action == "backup":
            steps.save(draft, Path(file), dry_run=dry_run)
        else:
            steps.judge_snapshot(draft, Path(file))
            steps.restore(draft, Path(file), dry_run=dry_run)
            if not dry_run:
                cluster.judge_cluster(draft)
    return draft.result
