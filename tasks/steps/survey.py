"""The survey: enumerate, compare with what is declared, judge what is to move."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import ValidationError

from inventory.errors import BadInput
from inventory.models.resource import Survey
from tasks.checks.context import Workload
from tasks.checks.registry import in_group, judge
from tasks.checks.residency.inv_01 import judge_survey
from tasks.drivers.ports import Kube
from tasks.networks.registry import of_site
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current
from tasks.survey.run import read_survey, survey, write_survey

SURVEY_FILE = "survey.json"


@task(name="enumerate everything", cache_policy=NO_CACHE)
def enumerate_everything(draft: Draft) -> Survey:
    """Every service in every enabled region, and both clusters; kept as survey.json."""
    place = current()
    taken = survey(
        place.site,
        place.drivers.aws(),
        _clusters(place),
        place.clock,
        lambda seen: place.progress.step(seen.what, seen.done, seen.total),
    )
    place.drivers.release_aws()
    write_survey(taken, place.state / SURVEY_FILE)
    services: dict[str, int] = {}
    for resource in taken.resources:
        services[resource.service] = services.get(resource.service, 0) + 1
    draft.figures |= {
        "resources": len(taken.resources),
        "services": services,
        "regions": sorted({row.region for row in taken.coverage if row.service != "kubernetes"}),
        "complete": all(row.status.complete for row in taken.coverage),
    }
    return taken


@task(name="compare with declared", cache_policy=NO_CACHE)
def compare_with_declared(draft: Draft, taken: Survey) -> None:
    """Is every enumeration complete, and is what was found what the site file declares?"""
    draft.add(judge_survey(current().site, taken))


@task(name="judge workloads", cache_policy=NO_CACHE)
def judge_workloads(draft: Draft) -> None:
    """Are the source's objects fit to move?"""
    place = current()
    enforces = of_site(place.site).enforces_policies
    context = Workload(place.site, place.drivers.source_kube(), place.clock, enforces)
    draft.add(judge(in_group("workload"), context))


def last_survey(place: Workplace) -> Survey:
    """The survey on disk. Raises BadInput where there is none, or a broken one."""
    file = place.state / SURVEY_FILE
    again = f"take one first: safe-harbor survey {place.site.name}"
    try:
        return read_survey(file)
    except FileNotFoundError as error:
        raise BadInput(f"there is no survey; {again}", file) from error
    except ValidationError as error:
        raise BadInput(f"is no survey ({error.error_count()} faults); {again}", file) from error


def _clusters(place: Workplace) -> list[Kube]:
    """The source's cluster, and the target's once it has been built."""
    clusters = [place.drivers.source_kube()]
    if place.site.target.cluster.kubeconfig.exists():
        clusters.append(place.drivers.target_kube())
    return clusters
