"""The whole site up and down: networks, then nodes, services and the source cluster at once.

The target cluster is not built here: the exit does that. Whatever interrupts `up` (an error, Ctrl-C), what
was made is removed before the error goes on; after a kill -9, `down` does it from the record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from rehearsal import cluster_source, doctor, netns, nodes, packages, parts, policy, teardown
from rehearsal.parts import Steps
from rehearsal.plan import Plan
from rehearsal.reach import link_kubectl
from rehearsal.state import State
from tasks.drivers.errors import Denied, OutsideError

WAY_OUT = "safe-harbor rehearse down"


class AlreadyUp(OutsideError):
    """A rehearsal is up on this machine, or one was left by a crash."""


@dataclass(frozen=True)
class Site:
    """A site that is up: where its site file and programs are, and how long each piece took."""

    plan: Plan
    site_file: Path
    programs: Path
    seconds: dict[str, float]


def prepare(steps: Steps, ready_parts: Path | None = None, plan: Plan | None = None) -> Path:
    """Packages and parts, once a machine; answers the folder of programs.

    The doctor looks before them, and again at what only the packages could show: installing and a quarter of
    an hour of building are for machines that can hold a site. Raises BadInput (`ready_parts`) and Denied (not
    root, or unfit: the doctor's list) before anything is installed, CommandFailed (a package or part fails).
    """
    plan = plan or Plan()
    programs = parts.ready(ready_parts) if ready_parts is not None else None
    will_build = programs is None and bool(parts.missing())
    refuse_unfit(plan, will_build=will_build)
    lacking = packages.missing(packages.wanted(build=will_build, deep=bool(plan.kvm_hosts)))
    packages.install(lacking, steps.step)
    if lacking:
        refuse_unfit(plan, will_build=will_build)
    return programs or parts.build(steps)


def up(steps: Steps, ready_parts: Path | None = None, plan: Plan | None = None, *, out: Path) -> Site:
    """Build the site; what its exit leaves goes to `out`.

    Raises AlreadyUp, and what `prepare` and the pieces raise.
    """
    plan = plan or Plan()
    refuse_second(plan)
    programs = prepare(steps, ready_parts, plan)
    state = claim(plan)
    pool = ThreadPoolExecutor(max_workers=3)
    try:
        return _raise(plan, state, programs, steps, pool, out)
    except BaseException:
        steps.step("taking down what was made")
        state.close()
        # What the other pieces wait for ends, so they end; only then nobody writes any more.
        teardown.end_processes(plan, state)
        pool.shutdown(wait=True, cancel_futures=True)
        teardown.down(plan)
        raise
    finally:
        pool.shutdown(wait=False)


def down(steps: Steps, plan: Plan | None = None) -> list[str]:
    """Remove the site, or what an interrupted one left; answers what was removed, in words."""
    if os.geteuid() != 0:
        raise Denied("rehearsal", "removing it needs root", "run it with sudo")
    removed = teardown.down(plan or Plan(), steps.step)
    return [*removed, *([f"file {policy.FILE}"] if policy.remove_left() else [])]


def refuse_unfit(plan: Plan, *, will_build: bool) -> None:
    """Raises Denied with every line of the doctor's that says that no site can be up here."""
    found = doctor.examine(plan, will_build=will_build)
    lacking = [item for item in found if item.level == doctor.Level.FAIL]
    if lacking:
        text = "".join(f"\n  {item.name}: {item.observed} -> {item.remedy}" for item in lacking)
        raise Denied("this machine", f"cannot hold a rehearsal, as `safe-harbor doctor` shows:{text}")


def is_up(plan: Plan | None = None) -> bool:
    """Whether a site is up (or was left)."""
    return teardown.present(plan or Plan())


def refuse_second(plan: Plan) -> None:
    """Raises AlreadyUp where a site is up or was left."""
    if is_up(plan):
        raise AlreadyUp(
            "rehearsal", f"one is up already, or was left ({plan.state})", f"remove it: {WAY_OUT}"
        )


def claim(plan: Plan) -> State:
    """The record of a new site. Raises AlreadyUp where somebody else has just made one."""
    state = State(plan)
    if not state.claim():
        raise AlreadyUp("rehearsal", "another one is just starting", f"wait for it, or: {WAY_OUT}")
    return state


def _raise(
    plan: Plan, state: State, programs: Path, steps: Steps, pool: ThreadPoolExecutor, out: Path
) -> Site:
    from rehearsal import services
    from rehearsal.services.shop import publish
    from rehearsal.services.site_file import write_site_file

    seconds: dict[str, float] = {}
    began = time.monotonic()

    def timed(name: str, work: Callable[[], object]) -> None:
        started = time.monotonic()
        work()
        seconds[name] = round(time.monotonic() - started, 1)

    steps.step("networks, keys and certificates")
    nodes.make_keys(plan, (*plan.aws_nodes, *plan.oslo_nodes))
    services.prepare(plan)
    netns.raise_wan(plan, state)
    netns.raise_services(plan, state)
    steps.step("nodes, the AWS side's services and the source cluster")
    pieces: dict[str, Callable[[], None]] = {
        "cluster": lambda: _cluster(plan, state, programs),
        "services": lambda: services.start(plan, state, programs),
        "oslo nodes": lambda: nodes.boot(plan, state, plan.oslo_nodes),
    }
    _first_failure([pool.submit(timed, name, work) for name, work in pieces.items()])
    steps.step("the shop on the source cluster")
    timed("shop", lambda: publish(plan, plan.aws_kubeconfig))
    write_site_file(plan, programs, out)
    link_kubectl(plan, programs)
    seconds["all"] = round(time.monotonic() - began, 1)
    return Site(plan, plan.site_file, programs, seconds)


def _cluster(plan: Plan, state: State, programs: Path) -> None:
    cluster_source.start(plan, state, programs)
    cluster_source.await_ready(plan, state)


def _first_failure(futures: list[Future[None]]) -> None:
    """Wait for all; the first error ends the wait."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
