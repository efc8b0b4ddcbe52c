"""The database changes over: writes are held, the replica becomes primary, the old primary follows it.

Each step is a plain function that can be run again; the caller records intent and outcome around each. While
writes are held, `undo` brings back a serving state from wherever it stopped. The way back (rollback) is the
same with the sides exchanged: `changeover.reversed()`. No order is lost, because the old primary has every
one that was placed at the new.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.drivers.ports import Clock, EdgeProxy, Sql
from tasks.move import replica
from tasks.move.compare import quick_counts
from tasks.move.endpoints import Pointer, point, wait_until_proxied
from tasks.move.replica import Origin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Primary:
    """A server that is or becomes the primary. `origin` is how the OTHER server follows it."""

    sql: Sql
    origin: Origin


@dataclass(frozen=True)
class Changeover:
    """From `old` to `new`, with the edges that hold writes and the Services that lead to the primary.

    All bounds together stay under the edges' longest hold (30 s), so no held write meets a closed primary.
    """

    old: Primary
    new: Primary
    database: str
    app_user: str
    edges: Sequence[EdgeProxy]
    pointers: Sequence[Pointer]
    clock: Clock
    quiet_within_s: float = 5.0
    catch_up_within_s: float = 5.0

    def reversed(self) -> Changeover:
        """The way back."""
        return Changeover(
            self.new, self.old, self.database, self.app_user, self.edges,
            tuple(pointer.reversed() for pointer in self.pointers), self.clock,
            self.quiet_within_s, self.catch_up_within_s,
        )  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """What is so now, seen from the servers themselves."""

    old_takes_writes: bool
    new_takes_writes: bool
    new_follows_old: bool
    old_follows_new: bool

    @property
    def done(self) -> bool:
        """Changed over: the new one takes writes and the old one follows it."""
        return self.new_takes_writes and not self.old_takes_writes and self.old_follows_new

    @property
    def ready(self) -> bool:
        """Not begun, and everything is as it must be to begin."""
        return self.old_takes_writes and not self.new_takes_writes and self.new_follows_old


def standing(over: Changeover) -> Standing:
    """Ask both servers."""
    old, new = over.old.sql, over.new.sql
    return Standing(
        old_takes_writes=not replica.read_only(old),
        new_takes_writes=not replica.read_only(new),
        new_follows_old=_follows(new, over.old.origin),
        old_follows_new=_follows(old, over.new.origin),
    )


def _follows(sql: Sql, origin: Origin) -> bool:
    found = replica.following(sql)
    return found is not None and (found.host, found.port) == (origin.host, origin.port)


def ensure_ready(over: Changeover) -> str:
    """Before any write is held: the replica is healthy and close behind. Raises ServiceFailed."""
    found = standing(over)
    follower = replica.following(over.new.sql)
    if not found.ready or follower is None:
        raise ServiceFailed(
            over.new.sql.name,
            f"is not ready to become the primary: {found}",
            "run `move` until it has caught up",
        )
    if not follower.healthy or not replica.reaches(
        over.new.sql, replica.position(over.old.sql), over.catch_up_within_s
    ):
        raise ServiceFailed(
            over.new.sql.name,
            f"is {follower.lag_s} s behind at {follower.position} {follower.trouble}".strip(),
            "wait until it has caught up (`move` shows it), then cut over again",
        )
    return f"caught up at {follower.position}"


def hold_writes(over: Changeover) -> str:
    """Every edge holds requests that write."""
    for edge in over.edges:
        edge.hold_writes(True)
    return f"held at {', '.join(edge.name for edge in over.edges)}"


def wait_quiet(over: Changeover) -> str:
    """Wait until no write is under way at any edge. Raises ServiceFailed after `quiet_within_s`."""
    deadline = over.clock.now().timestamp() + over.quiet_within_s
    while True:
        left = {edge.name: edge.writes_in_flight() for edge in over.edges}
        if not any(left.values()):
            return "no write is under way"
        if over.clock.now().timestamp() > deadline:
            raise ServiceFailed(
                ", ".join(name for name, count in left.items() if count),
                f"{sum(left.values())} writes are still under way after {over.quiet_within_s:.0f} s",
            )
        over.clock.sleep(0.02)


def close_old(over: Changeover) -> str:
    """The old primary takes no more writes; what it has is final. Its last position."""
    replica.set_read_only(over.old.sql, True)
    return replica.position(over.old.sql)


def catch_up(over: Changeover) -> str:
    """The new primary has everything. Raises ServiceFailed where it does not get there in time."""
    wanted = replica.position(over.old.sql)
    if not replica.reaches(over.new.sql, wanted, over.catch_up_within_s):
        raise ServiceFailed(
            over.new.sql.name, f"has not reached {wanted} within {over.catch_up_within_s:.0f} s"
        )
    return wanted


def compare_counts(over: Changeover) -> str:
    """Rows of each table on both sides, now that nobody writes. Raises ServiceFailed, naming what differs."""
    old, new = (quick_counts(side.sql, over.database) for side in (over.old, over.new))
    if old != new:
        names = sorted(name for name in set(old) | set(new) if old.get(name) != new.get(name))
        raise ServiceFailed(
            over.new.sql.name,
            "differs: " + ", ".join(f"{name}: {old.get(name)} old, {new.get(name)} new" for name in names),
            "run `move` again: it compares every table",
        )
    return f"{len(old)} tables, {sum(old.values())} rows on each side"


def promote_new(over: Changeover) -> str:
    """The new primary follows nobody and takes writes."""
    replica.unfollow(over.new.sql)
    replica.set_read_only(over.new.sql, False)
    return replica.position(over.new.sql)


def follow_new(over: Changeover) -> str:
    """The old primary follows the new one from its own last position."""
    if not _follows(over.old.sql, over.new.origin):
        replica.unfollow(over.old.sql)
    replica.follow(over.old.sql, over.new.origin, from_position=replica.position(over.old.sql))
    return f"{over.old.sql.name} follows {over.new.origin.host}:{over.new.origin.port}"


def point_services(over: Changeover) -> str:
    """Each cluster's Service leads to the new primary, and its proxies have taken it over."""
    for pointer in over.pointers:
        point(pointer.kube, pointer.namespace, pointer.service, pointer.new)
    for pointer in over.pointers:
        wait_until_proxied(pointer, pointer.new, over.clock)
    return ", ".join(f"{p.kube.name} {p.namespace}/{p.service} -> {p.new}" for p in over.pointers)


def end_old_connections(over: Changeover) -> str:
    """End the shop's connections to the old primary, so that its pools open new ones."""
    return f"{end_connections(over.old.sql, over.app_user)} connections of {over.app_user} ended"


def end_connections(sql: Sql, user: str) -> int:
    """End every connection of this account; how many there were. One statement for all: they may be many."""
    found = sql.rows("SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = %s", (user,))
    count = int(found[0]["n"])
    if count:
        sql.execute("KILL CONNECTION USER %s", (user,))
    return count


def release_writes(over: Changeover) -> str:
    """Every edge lets the held writes go on. All edges are tried before a failure is raised."""
    failure: OutsideError | None = None
    for edge in over.edges:
        try:
            edge.hold_writes(False)
        except OutsideError as error:
            failure = error
            log.error(
                "%s could not be released, its writes go on by themselves after the longest hold", error
            )
    if failure is not None:
        raise failure
    return f"released at {', '.join(edge.name for edge in over.edges)}"


@dataclass(frozen=True)
class Step:
    """One step: its name for the ledger, and what it does; it returns what came of it."""

    name: str
    run: Callable[[Changeover], str]


# Up to and without the last one, `undo` brings back the old primary with nothing lost.
STEPS: tuple[Step, ...] = (
    Step("ensure_ready", ensure_ready),
    Step("hold_writes", hold_writes),
    Step("wait_quiet", wait_quiet),
    Step("close_old", close_old),
    Step("catch_up", catch_up),
    Step("compare_counts", compare_counts),
    Step("promote_new", promote_new),
    Step("follow_new", follow_new),
    Step("point_services", point_services),
    Step("end_old_connections", end_old_connections),
    Step("release_writes", release_writes),
)


def undo(over: Changeover) -> list[str]:
    """Bring back the old primary as long as writes were held all the time; what could not be done, in words.

    Order: the new one takes no writes, the old one does, Services lead back, writes go on, the new one
    follows again. Writes are released only when the old primary takes them.
    """
    troubles: list[str] = []
    _try(troubles, lambda: replica.set_read_only(over.new.sql, True))
    serves = _try(troubles, lambda: _reopen_old(over))
    for pointer in over.pointers:
        _try(troubles, lambda p=pointer: _point_back(p, over.clock))  # type: ignore[misc]  # bound now
    _try(troubles, lambda: end_connections(over.new.sql, over.app_user))
    if serves:
        _try(troubles, lambda: release_writes(over))
    _try(troubles, lambda: _follow_again(over))
    return troubles


def _reopen_old(over: Changeover) -> None:
    replica.unfollow(over.old.sql)
    replica.set_read_only(over.old.sql, False)


def _point_back(pointer: Pointer, clock: Clock) -> None:
    if point(pointer.kube, pointer.namespace, pointer.service, pointer.old):
        wait_until_proxied(pointer, pointer.old, clock)


def _follow_again(over: Changeover) -> None:
    if not _follows(over.new.sql, over.old.origin):
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


def change_over(
    over: Changeover,
    around: Callable[[Step, Callable[[], str]], str] = lambda _, run: run(),
) -> Outcome:
    """Run every step, each inside `around(step, run)`; where one fails, undo and say so in the outcome.

    A changeover that is done already is an outcome with no step. A failure of the release itself is not
    undone: the new primary may have taken writes; the edges let go by themselves after their longest hold.
    """
    outcome = Outcome()
    found = standing(over)
    if found.done:
        return Outcome(done=True, steps={"release_writes": release_writes(over)})
    frozen_at: float | None = None
    for step in STEPS:
        if step.name == "hold_writes":
            frozen_at = over.clock.now().timestamp()
        begun = over.clock.now().timestamp()
        try:
            outcome.steps[step.name] = around(step, lambda step=step: step.run(over))  # type: ignore[misc]  # bound now
        except OutsideError as error:
            outcome.failed_at, outcome.failure = step.name, str(error)
            if step.name not in ("ensure_ready", "release_writes"):
                outcome.undo_troubles = undo(over)
            break
        except BaseException:
            if step.name not in ("ensure_ready", "release_writes"):
                undo(over)
            raise
        finally:
            outcome.seconds[step.name] = over.clock.now().timestamp() - begun
    else:
        outcome.done = True
    if frozen_at is not None:
        outcome.freeze_s = over.clock.now().timestamp() - frozen_at
    return outcome
