"""Fact, plan, change on many hosts at once, each change with an intent before it and an outcome after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from inventory.models.change import Change
from inventory.models.command import Command
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts, gather
from tasks.ledger import Effect
from tasks.operations.apply import Applied, apply
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
) -> int:
    """Ask every host of `asked` (host's name -> questions), plan, show or apply; the number of changes.

    Hosts work at once and each stops at its own first failure. Raises OutsideError naming every host that
    failed, once all the others are through.
    """
    place = current()
    hosts = place.drivers.hosts()
    place.progress.step(f"{phase}: asking {len(asked)} hosts")
    facts = _answers(phase, _on_each(list(asked), lambda name: _ask(hosts[name], asked[name])))
    changes = list(plan(facts))
    if dry_run:
        for change in changes:
            place.progress.say(str(change))
    elif changes:
        place.progress.step(f"{phase}: {len(changes)} changes")
        outcomes = _on_each(
            sorted({change.host for change in changes}),
            lambda name: _apply(place, phase, hosts[name], [c for c in changes if c.host == name]),
        )
        _count(draft, phase, sum(len(outcome.done) for outcome in outcomes.values()))
        _refuse(phase, {name: outcome.error for name, outcome in outcomes.items()})
        return len(changes)
    _count(draft, phase, len(changes))
    return len(changes)


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

    _refuse("logging in", _on_each(names, tried))


def _count(draft: Draft, phase: str, changes: int) -> None:
    draft.changes += changes
    by_phase = draft.figures.setdefault("changes_by_phase", {})
    by_phase[phase] = by_phase.get(phase, 0) + changes


def _ask(host: Host, questions: Sequence[Asked[Any]]) -> Facts | OutsideError:
    try:
        return gather(host, questions)
    except OutsideError as error:
        return error


def _answers(phase: str, asked: Mapping[str, Facts | OutsideError]) -> dict[str, Facts]:
    """The facts of every host. Raises OutsideError, naming every host that did not answer."""
    _refuse(phase, {name: each if isinstance(each, OutsideError) else None for name, each in asked.items()})
    return {name: each for name, each in asked.items() if isinstance(each, Facts)}


def _apply(place: Workplace, phase: str, host: Host, changes: Sequence[Change]) -> Applied:
    """One effect a host and phase; the intent names every change, the outcome how far it came."""
    intent = {
        "host": host.name,
        "changes": [{"subject": c.subject, "why": c.why, "after": c.after[:200]} for c in changes],
    }
    done: list[Change] = []
    try:
        with place.ledger.effect(f"host/{host.name}/{phase}", intent) as effect:
            for change in changes:
                apply(host, change)
                done.append(change)
                _say(effect, done)
    except OutsideError as error:
        return Applied(host.name, tuple(done), changes[len(done)], error)
    return Applied(host.name, tuple(done))


def _say(effect: Effect, done: Sequence[Change]) -> None:
    effect.outcome = {"applied": [change.subject for change in done]}


def _refuse(phase: str, errors: Mapping[str, OutsideError | None]) -> None:
    failed = {name: error for name, error in errors.items() if error is not None}
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        raise OutsideError(
            ", ".join(failed),
            f"{phase} failed on {len(failed)} of {len(errors)} hosts: {'; '.join(map(str, failed.values()))}",
            "mend them and run the stage again: what is done is not done twice",
        )


def _on_each(names: Sequence[str], work: Callable[[str], T]) -> dict[str, T]:
    if not names:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(names)), thread_name_prefix="host") as pool:
        futures = {name: pool.submit(work, name) for name in names}
    return {name: future.result() for name, future in futures.items()}
