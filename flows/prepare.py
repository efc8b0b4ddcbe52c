"""prepare: from bare machines to the joined nodes of a cluster."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import cluster
from tasks.steps import prepare as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="prepare")
def prepare(site: str, dry_run: bool = False) -> StageResult:
    """Admit the hosts, run the phases of a node on all, verify the settings, judge the cluster.

    A second run changes nothing.
    """
    with opened(site), stage("prepare", dry_run=dry_run) as draft:
        steps.admit_hosts(draft)
        if draft.concluded().lets_go_on:
            steps.prepare_nodes(draft, dry_run=dry_run)
            if not dry_run:
                steps.verify_settings(draft)
                cluster.judge_cluster(draft)
    return draft.result
