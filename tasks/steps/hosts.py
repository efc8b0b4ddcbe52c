"""Fact, plan, change on many hosts at once, each change with an intent before it and an outcome after it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from inventory.models.change import Change
from inventory.models.command import Command
from inventory.printable import printable
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.gather import Facts, gather
from tasks.ledger import Effect
from tasks.operations.apply import Applied, apply_all
from tasks.steps.failed_hosts import FailedHosts, refuse
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current

AT_ONCE = 16

T = TypeVar("T")


def bring_about(
    draft: Draft,
    phase: str,
    asked: Mapping[str, Sequence[Asked[Any]]],
    plan: Callable[[Mapping[str, Facts]], Sequence[Change]],
    *,
    dry_run: bool,
    failed: FailedHosts | None = None,
    hosts: Mapping[str, Host] | None = None,
) -> int:
    """Ask every host of `asked` (host's name -> questions), plan, show or apply; the number of changes.

    Hosts work at once and each stops at its own first failure. Raises OutsideError naming every host that
    failed, once all the others are through. With `failed` nothing is raised: it takes the hosts that fail,
    those that it has are left alone, and `plan` is given the answers of the rest.

    A host that is to be changed is locked before it is asked, until the stage ends. `hosts` are the
    target's nodes where it is left out.
    """
    place = current()
    hosts = place.drivers.hosts() if hosts is None else hosts
    names = [name for name in asked if failed is None or name not in failed]
    place.progress.step(f"{phase}: asking {len(names)} hosts")
    holder = "" if dry_run else holder_of(place)
    answers = on_each(names, lambda name: _ask(hosts[name], asked[name], holder))
    _take(phase, {name: a if isinstance(a, OutsideError) else None for name, a in answers.items()}, failed)
    changes = _planned(phase, plan, {n: a for n, a in answers.items() if isinstance(a, Facts)}, failed)
    if dry_run:
        draft.planned += changes
    elif changes:
        place.progress.step(f"{phase}: {len(changes)} changes")
        outcomes = on_each(
            sorted({change.host for change in changes}),
            lambda name: _apply(place, phase, hosts[name], [c for c in changes if c.host == name]),
        )
        _count(draft, phase, sum(len(outcome.done) for outcome in outcomes.values()))
        _take(phase, {name: outcome.error for name, outcome in outcomes.items()}, failed)
        return len(changes)
    _count(draft, phase, len(changes))
    return len(changes)


def ask_all(
    phase: str, asked: Mapping[str, Sequence[Asked[Any]]], hosts: Mapping[str, Host]
) -> dict[str, Facts]:
    """The facts of every host, asked at once. Raises OutsideError, naming every host that did not answer."""
    current().progress.step(f"{phase}: asking {len(asked)} hosts")
    answers = on_each(list(asked), lambda name: _ask(hosts[name], asked[name], ""))
    _take(phase, {name: a if isinstance(a, OutsideError) else None for name, a in answers.items()}, None)
    return {name: a for name, a in answers.items() if isinstance(a, Facts)}


def reach(names: Sequence[str]) -> None:
    """Log in to all hosts at once. Raises OutsideError, naming every host that does not let us in."""
    place = current()
    hosts = place.drivers.hosts()
    place.progress.step(f"reaching {len(names)} hosts")

    def tried(name: str) -> OutsideError | None:
        try:
            hosts[name].check(Command.of("true"))
        except OutsideError as error:
            return error
        return None

    refuse("logging in", on_each(names, tried), len(names))


def holder_of(place: Workplace) -> str:
    """What a host's lock says of this run."""
    return f"{place.actor} on {socket.gethostname()}, process {os.getpid()}, site {place.site.name}"


def _planned(
    phase: str,
    plan: Callable[[Mapping[str, Facts]], Sequence[Change]],
    facts: dict[str, Facts],
    failed: FailedHosts | None,
) -> list[Change]:
    """The plan for the hosts whose answers can be understood."""
    while True:
        try:
            return list(plan(facts))
        except FactUnreadable as error:
            if failed is None or facts.pop(error.part, None) is None:
                raise
            _take(phase, {error.part: error}, failed)


def _take(phase: str, errors: Mapping[str, OutsideError | None], failed: FailedHosts | None) -> None:
    """Raise what failed, or leave it to `failed`."""
    if failed is None:
        refuse(phase, errors, len(errors))
        return
    failed.add(phase, errors)
    for error in filter(None, errors.values()):
        current().progress.say(f"{phase} failed: {printable(str(error))}; the other hosts go on")


def _count(draft: Draft, phase: str, changes: int) -> None:
    draft.changes += changes
    by_phase = draft.figures.setdefault("changes_by_phase", {})
    by_phase[phase] = by_phase.get(phase, 0) + changes


def _ask(host: Host, questions: Sequence[Asked[Any]], holder: str) -> Facts | OutsideError:
    try:
        if holder:
            host.lock(holder)
        return gather(host, questions)
    except OutsideError as error:
        return error


def _apply(place: Workplace, phase: str, host: Host, changes: Sequence[Change]) -> Applied:
    """One effect a host and phase; the intent names every change, the outcome how far it came."""
    intent = {
        "host": host.name,
        "changes": [{"subject": c.subject, "why": c.why, "after": c.after[:200]} for c in changes],
    }
    came = Applied(host.name, ())
    with (
        contextlib.suppress(OutsideError),  # `came` has it; the ledger's outcome wants to see it raised
        place.ledger.effect(f"host/{host.name}/{phase}", intent) as effect,
    ):
        came = apply_all(host, changes, lambda done: _say(effect, done))
        if came.error is not None:
            raise came.error
    return came


def _say(effect: Effect, done: Sequence[Change]) -> None:
    effect.outcome = {"applied": [change.subject for change in done]}


def on_each(names: Sequence[str], work: Callable[[str], T]) -> dict[str, T]:
    """Do the work for every name, at most `AT_ONCE` at a time; what came of each."""
    if not names:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(names)), thread_name_prefix="host") as pool:
        futures = {name: pool.submit(work, name) for name in names}
    return {name: future.result() for name, future in futures.items()}
