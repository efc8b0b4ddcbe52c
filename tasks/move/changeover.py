"""The database changes over: writes are held, the replica becomes primary, the old primary follows it.

The steps are `changeover_steps`; the caller records intent and outcome around each. While writes are held,
`undo` brings back a serving state from wherever it stopped. The way back (rollback) is the same with the
sides exchanged: `changeover.reversed()`. No order is lost, because the old primary has every one that was
placed at the new.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Clock
from tasks.move import replica
from tasks.move.changeover_steps import (
    STEPS,
    Changeover,
    Primary,
    Standing,
    Step,
    end_connections,
    follows,
    release_writes,
    standing,
)
from tasks.move.endpoints import Pointer, leads, point, wait_until_proxied

__all__ = [
    "STEPS",
    "Changeover",
    "Outcome",
    "Primary",
    "Standing",
    "Step",
    "change_over",
    "release_writes",
    "standing",
    "undo",
]

log = logging.getLogger(__name__)


def undo(over: Changeover) -> list[str]:
    """Bring back the old primary; what could not be done, in words. Nothing is lost by it.

    Order: the new one takes no writes, the old one does, Services lead back, writes go on, the new one
    follows again. Where the new one has writes that the old one lacks (the hold ran out meanwhile), it stays
    the primary, and this is said: the next `change_over` goes on from there.
    """
    troubles: list[str] = []
    closed = _try(troubles, lambda: replica.set_read_only(over.new.sql, True))
    if closed and not _old_has_all(over):
        _try(troubles, lambda: replica.set_read_only(over.new.sql, False))
        return [
            *troubles,
            f"{over.new.sql.name} has taken writes that {over.old.sql.name} lacks: it stays the primary; "
            "run `cutover` again, which goes on from there",
        ]
    serves = _try(troubles, lambda: _reopen_old(over))
    for pointer in over.pointers:
        _try(troubles, lambda p=pointer: _point_back(p, over.clock))  # type: ignore[misc]  # bound now
    _try(troubles, lambda: end_connections(over.new.sql, over.app_user))
    if serves:
        _try(troubles, lambda: release_writes(over))
    _try(troubles, lambda: _follow_again(over))
    return troubles


def _old_has_all(over: Changeover) -> bool:
    wanted = replica.position(over.new.sql)
    if follows(over.old.sql, over.new.origin):
        return replica.reaches(over.old.sql, wanted, over.catch_up_within_s)
    return replica.contains(replica.position(over.old.sql), wanted)


def _reopen_old(over: Changeover) -> None:
    replica.unfollow(over.old.sql)
    replica.set_read_only(over.old.sql, False)


def _point_back(pointer: Pointer, clock: Clock) -> None:
    if point(pointer.kube, pointer.namespace, pointer.service, pointer.old):
        wait_until_proxied(pointer, pointer.old, clock)


def _follow_again(over: Changeover) -> None:
    if not follows(over.new.sql, over.old.origin):
        replica.follow(over.new.sql, over.old.origin, from_position=replica.position(over.new.sql))


def _try(troubles: list[str], act: Callable[[], object]) -> bool:
    try:
        act()
    except OutsideError as error:
        log.error("undo: %s", error)
        troubles.append(str(error))
        return False
    return True


@dataclass
class Outcome:
    """What a whole changeover did. `freeze_s` is the time from the first hold to the last release."""

    done: bool = False
    freeze_s: float = 0.0
    steps: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed_at: str = ""
    failure: str = ""
    undo_troubles: list[str] = field(default_factory=list)


def _rest(all_done: bool) -> tuple[Step, ...]:
    """What is left once the new primary takes writes."""
    names = [step.name for step in STEPS]
    if all_done:
        return STEPS[names.index("release_writes") :]
    return (STEPS[names.index("hold_writes")], *STEPS[names.index("follow_new") :])


def change_over(
    over: Changeover,
    around: Callable[[Step, Callable[[], str]], str] = lambda _, run: run(),
) -> Outcome:
    """Run every step, each inside `around(step, run)`; where one fails, undo and say so in the outcome.

    It can be run again after it was killed anywhere: where the new primary takes writes already, the rest is
    done (nothing where all is done, but writes are released); where nobody takes writes, it is undone first.
    A failure of the release itself is not undone: the edges let go by themselves after their longest hold.
    """
    outcome = Outcome()
    steps = STEPS
    found = standing(over)
    if found.new_takes_writes and not found.old_takes_writes:
        steps = _rest(found.done and all(leads(pointer) for pointer in over.pointers))
    elif not found.old_takes_writes:
        outcome.undo_troubles = undo(over)
    frozen_at: float | None = None
    for step in steps:
        if step.name == "hold_writes":
            frozen_at = over.clock.now().timestamp()
        begun = over.clock.now().timestamp()
        undoes = steps is STEPS and frozen_at is not None and step.name != "release_writes"
        try:
            outcome.steps[step.name] = around(step, lambda step=step: step.run(over))  # type: ignore[misc]  # bound now
        except OutsideError as error:
            outcome.failed_at, outcome.failure = step.name, str(error)
            if undoes:
                outcome.undo_troubles = undo(over)
            break
        except BaseException:
            if undoes:
                undo(over)
            raise
        finally:
            outcome.seconds[step.name] = over.clock.now().timestamp() - begun
    else:
        outcome.done = True
    if frozen_at is not None:
        outcome.freeze_s = over.clock.now().timestamp() - frozen_at
    return outcome
