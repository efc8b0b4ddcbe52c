"""The cluster itself, judged: certificates, versions, etcd, the way in, the kubelets' settings."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.checks.context import ControlPlane
from tasks.checks.registry import in_group, judge
from tasks.drivers.ports import Clock, Kube
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

REGISTERED_WITHIN_S = 60.0
_POLL_S = 0.5


@task(name="judge cluster", cache_policy=NO_CACHE)
def judge_cluster(draft: Draft) -> None:
    """Every check of the group `controlplane`."""
    place = current()
    place.progress.step("judging the cluster")
    kube = place.drivers.target_kube()
    await_registered(kube, place.clock, [node.name for node in place.site.target.nodes])
    context = ControlPlane(place.site, place.drivers.hosts(), kube, place.clock)
    draft.add(judge(in_group("controlplane"), context))


def await_registered(kube: Kube, clock: Clock, names: Sequence[str]) -> None:
    """Until the API knows every node: a join ends a moment earlier. The checks name what is missing."""
    started = clock.now()
    while not set(names) <= {str(node["metadata"]["name"]) for node in kube.list("v1", "Node")}:
        if (clock.now() - started).total_seconds() > REGISTERED_WITHIN_S:
            return
        clock.sleep(_POLL_S)
