"""upgrade: the cluster to another patch or the next minor, one node after the other."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from inventory.kubernetes_version import Version
from inventory.models.stage import StageResult
from tasks.operations.upgrade import order
from tasks.steps import cluster
from tasks.steps import upgrade as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="upgrade")
def upgrade(site: str, to: str, programs: str = "", dry_run: bool = False) -> StageResult:
    """Refuse or plan, save etcd, then control planes and workers in order. Again after a kill: it goes on."""
    version = Version.of(to)
    with opened(site), stage("upgrade", dry_run=dry_run) as draft:
        preparation = steps.prepare_upgrade(draft, version, Path(programs) if programs else None)
        if not dry_run:
            steps.save_first(draft)
            for node in order(preparation.site):
                steps.upgrade_node(draft, preparation, node, version)
            steps.end_upgrade(draft, preparation, version)
            cluster.judge_cluster(draft)
    return draft.result
