"""The whole exit: every stage in its order, stopped by the first that does not pass."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.approve import approve
from flows.capacity import capacity
from flows.cutover import cutover
from flows.etcd import etcd
from flows.finalize import finalize
from flows.gate import gate
from flows.memory import give_back
from flows.move import move
from flows.network import network
from flows.plan import plan
from flows.prepare import prepare
from flows.provision import provision
from flows.replay import replay
from flows.rollback import rollback
from flows.survey import survey
from flows.unprepare import unprepare
from flows.upgrade import upgrade
from inventory.errors import BadInput
from inventory.models.stage import StageResult
from tasks.steps.finalize import soaked
from tasks.steps.status import done_before
from tasks.steps.workplace import opened

EXIT: tuple[Any, ...] = (
    survey,
    plan,
    prepare,
    network,
    move,
    replay,
    capacity,
    gate,
    approve,
    cutover,
    finalize,
)
_BESIDE = (provision, rollback, unprepare, etcd, upgrade)
FLOWS: dict[str, Any] = {each.name: each for each in (*EXIT, *_BESIDE)}
_UNTIL_PREPARED = (survey, plan, provision, prepare)


@flow(name="exit")
def exit_flow(site: str, resume: bool = False, dry_run: bool = False, until: str = "") -> list[StageResult]:
    """Run the stages in order. Raises StageRefused at the first that does not pass.

    Machines that the site file declares are made before the preparation.
    A soak of minutes is waited out before finalize, a longer one ends the run: `finalize` is then a command
    of its own.
    `resume` skips the stages that are done; `dry_run` runs those that change nothing, and shows what the
    preparation of the nodes would change: everything later depends on changes that were not made. `until`
    names the last stage to run. Raises BadInput, listing the stages, where there is none of that name.
    """
    with opened(site) as place:
        stages = _up_to(until or EXIT[-1].name, makes_machines=place.site.target.kvm is not None)
        if dry_run:
            stages = [each for each in stages if each in _UNTIL_PREPARED]
        skipped = done_before(place, [each.name for each in stages]) if resume else {}
        results = []
        for each in stages:
            if each is finalize and not soaked():
                break  # a person finalizes once the soak is over
            done = skipped.get(each.name)
            results.append(done if done is not None else each(site, dry_run=dry_run))
            give_back()
        return results


def _up_to(last: str, *, makes_machines: bool) -> list[Any]:
    stages = list(EXIT)
    if makes_machines:
        stages.insert(stages.index(prepare), provision)
    names = [each.name for each in stages]
    if last not in names:
        raise BadInput(f"--until {last}: there is no such stage; known: {', '.join(names)}")
    return stages[: names.index(last) + 1]
