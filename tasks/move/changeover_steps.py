"""The steps of a database changeover, each a plain function that can be run again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
        new_follows_old=follows(new, over.old.origin),
        old_follows_new=follows(old, over.new.origin),
    )


def follows(sql: Sql, origin: Origin) -> bool:
    """Whether the server is set up to follow this origin."""
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
    if not follows(over.old.sql, over.new.origin):
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
