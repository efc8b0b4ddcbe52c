"""network: the pod network and kube-proxy, and the proof of every path."""

from __future__ import annotations

from prefect import flow

from inventory.models.stage import StageResult
from tasks.steps import network as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened


@flow(name="network")
def network(site: str, dry_run: bool = False, beside_source: bool = True) -> StageResult:
    """Stand the network up, prove it, and measure its data plane beside the source's.

    `beside_source` is off where there is no source, as in a deep rehearsal: nothing of it is asked.
    """
    with opened(site), stage("network", dry_run=dry_run) as draft:
        steps.judge_policies(draft)
        steps.raise_network(draft, dry_run=dry_run, beside_source=beside_source)
        if not dry_run:
            steps.prove_every_path(draft, beside_source=beside_source)
    return draft.result
