"""The preparation: admission, then the phases of a node on every host."""

from __future__ import annotations

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.checks.context import Admission
from tasks.checks.registry import in_group, judge
from tasks.operations.node import PHASES, Phase
from tasks.operations.preparation import Preparation
from tasks.steps.failed_hosts import FailedHosts
from tasks.steps.hosts import bring_about, reach
from tasks.steps.preparation import keep_kubeconfig, open_preparation
from tasks.steps.stage import Draft
from tasks.steps.workplace import current


@task(name="admit hosts", cache_policy=NO_CACHE)
def admit_hosts(draft: Draft) -> None:
    """May these machines become nodes? Raises OutsideError, naming every host that does not let us in."""
    place = current()
    reach([node.name for node in place.site.target.nodes])
    place.progress.step("admission")
    context = Admission(place.site, place.drivers.hosts(), place.clock)
    draft.add(judge((*in_group("admission"), *in_group("preflight")), context))


@task(name="verify settings", cache_policy=NO_CACHE)
def verify_settings(draft: Draft) -> None:
    """Do the running values agree with the profile, now that everything is made?"""
    place = current()
    place.progress.step("settings")
    draft.add(judge(in_group("settings"), Admission(place.site, place.drivers.hosts(), place.clock)))


@task(name="prepare nodes", cache_policy=NO_CACHE)
def prepare_nodes(draft: Draft, *, dry_run: bool) -> None:
    """Run every phase; a dry run shows the changes of the phases that can be planned from what is there.

    A host that fails is left alone from then on, and the others are brought as far as they come without it.
    Raises OutsideError naming every host that failed.
    """
    place = current()
    preparation = open_preparation(place.site, place.clock)
    seconds = draft.figures.setdefault("phase_seconds", {})
    failed = FailedHosts(draft)
    first_name = preparation.planes[0].name
    start = time.monotonic()
    for phase in PHASES:
        if phase.needs_first and first_name in failed:
            place.progress.say(f"{phase.name} is left out: {first_name} failed, and the others need it")
            continue
        began = time.monotonic()
        _run(draft, phase, preparation, failed, dry_run=dry_run)
        seconds[phase.name] = round(time.monotonic() - began, 2)
    failed.refuse(len(place.site.target.nodes))
    if not dry_run:
        first = place.drivers.host(first_name)
        draft.changes += keep_kubeconfig(preparation, first)
        elapsed = round(time.monotonic() - start, 1)
        draft.figures["node_seconds"] = {node.name: elapsed for node in place.site.target.nodes}


def _run(draft: Draft, phase: Phase, preparation: Preparation, failed: FailedHosts, *, dry_run: bool) -> None:
    bring_about(
        draft,
        phase.name,
        {node.name: phase.asked(preparation, node) for node in phase.nodes(preparation)},
        lambda facts: phase.plan(preparation, facts),
        dry_run=dry_run,
        failed=failed,
    )
