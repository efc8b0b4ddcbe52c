"""The cluster itself, judged: certificates, versions, etcd, the way in, the kubelets' settings."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.checks.context import ControlPlane
from tasks.checks.registry import in_group, judge
from tasks.steps.stage import Draft
from tasks.steps.workplace import current


@task(name="judge cluster", cache_policy=NO_CACHE)
def judge_cluster(draft: Draft) -> None:
    """Every check of the group `controlplane`."""
    place = current()
    place.progress.step("judging the cluster")
    context = ControlPlane(place.site, place.drivers.hosts(), place.drivers.target_kube(), place.clock)
    draft.add(judge(in_group("controlplane"), context))
