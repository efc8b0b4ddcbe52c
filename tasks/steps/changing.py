"""The database's changeover as the steps use it: its parts put together, every one of its steps recorded."""

from __future__ import annotations

from collections.abc import Callable

from inventory.models.finding import Finding, Severity
from inventory.models.services import Database
from inventory.models.verdict import Verdict
from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.ledger import Entry
from tasks.move import replica
from tasks.move.changeover import (
    Changeover,
    Outcome,
    Primary,
    Step,
    change_over,
    standing,
    undo,
)
from tasks.move.changeover_steps import follow_new
from tasks.move.endpoints import Address, Pointer
from tasks.move.replica import Origin
from tasks.steps.drivers import read_secret
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace

CODE = "CUT-DATABASE"


def changeover_of(place: Workplace) -> Changeover:
    """From the source's database to the target's, as the site file declares them."""
    site, drivers = place.site, place.drivers
    old, new = site.source.database, site.target.database
    return Changeover(
        old=Primary(drivers.source_database(), origin_of(old)),
        new=Primary(drivers.target_database(), origin_of(new)),
        database=new.name,
        app_user=new.app_user,
        edges=(drivers.source_edge(), drivers.target_edge()),
        pointers=tuple(
            Pointer(
                drivers.target_kube(),
                namespace,
                site.workload.database_primary,
                Address(old.host, old.port),
                Address(new.host, new.port),
                drivers.hosts(),
            )
            for namespace in site.workload.namespaces
        ),
        clock=place.clock,
    )


def origin_of(database: Database) -> Origin:
    """How the other side follows this server."""
    host, _, port = (database.reachable_as or f"{database.host}:{database.port}").rpartition(":")
    return Origin(host, int(port), database.replication_user, read_secret(database.replication_password_file))


def run_changeover(draft: Draft, place: Workplace, over: Changeover) -> Outcome:
    """Change over, with an intent and an outcome in the ledger around every step; take the finding."""

    def recorded(step: Step, run: Callable[[], str]) -> str:
        place.progress.step(f"database: {step.name.replace('_', ' ')}")
        with place.ledger.effect(f"database/{step.name}", {"primary_shall_be": over.new.sql.name}) as effect:
            came_of_it = run()
            effect.outcome = {"came_of_it": came_of_it}
        return came_of_it

    outcome = change_over(over, recorded)
    said = f"{over.new.sql.name} is the primary" if outcome.done else f"failed at {outcome.failed_at}"
    details = [said, f"writes were held for {outcome.freeze_s:.2f} s"]
    details += [text for text in (outcome.steps.get("compare_counts", ""), outcome.failure) if text]
    details += outcome.undo_troubles
    draft.require(
        Finding(
            code=CODE,
            subject=over.new.sql.name,
            verdict=Verdict.PASS if outcome.done else Verdict.FAIL,
            observed="; ".join(details),
            expected="the same rows on both sides at the moment of the change, and one primary",
            remedy=""
            if outcome.done
            else "the old primary serves again; mend what failed, run `move`, cut over again",
            severity=Severity.CRITICAL,
        )
    )
    return outcome


def target_is_primary(place: Workplace) -> bool:
    """Whether the target's database takes the writes now, seen from the servers themselves."""
    if not replica.read_only(place.drivers.source_database()):
        return False  # asked first: a target that is gone must not hold up the way back
    try:
        return standing(changeover_of(place)).new_takes_writes
    except OutsideError:
        # Nobody has promoted what cannot be asked: before `move` there is no server at the target.
        if place.ledger.entries(kind="intent", subject="database/promote_new"):
            raise
        return False


def bring_database_back(draft: Draft, place: Workplace) -> Outcome | None:
    """Make the source's database the primary again, from wherever a changeover was left, a kill included.

    The outcome of the way back; None where the target was not the primary. Takes a finding where anything
    had to be done. Raises Halt where it could not be done.
    """
    over = changeover_of(place)
    if target_is_primary(place):
        if not standing(over).old_follows_new:  # left between the promotion and the following
            _follow_target(place, over)
        return run_changeover(draft, place, over.reversed())
    source_closed = replica.read_only(over.old.sql)
    if not source_closed and not _left_open(place, "database/"):
        return None
    place.progress.step("database: undoing a changeover that was left unfinished")
    with place.ledger.effect("database/undo", {"primary_shall_be": over.old.sql.name}) as effect:
        troubles = undo(over)
        effect.outcome = {"troubles": troubles}
    serves = not replica.read_only(over.old.sql)
    draft.require(
        Finding(
            code=CODE,
            subject=over.old.sql.name,
            verdict=Verdict.FAIL if not serves else Verdict.WARN if troubles else Verdict.PASS,
            observed="; ".join(["an unfinished changeover was undone", *troubles]),
            expected="the source's database takes writes, and its replica follows it",
            remedy="mend what is named, then run `rollback`" if troubles else "",
            severity=Severity.CRITICAL,
        )
    )
    return None


def _follow_target(place: Workplace, over: Changeover) -> None:
    """The source's database follows the target's, and has everything that the target's has."""
    with place.ledger.effect("database/follow_new", {"primary_shall_be": over.new.sql.name}) as effect:
        effect.outcome = {"came_of_it": follow_new(over)}
        replica.reaches(over.old.sql, replica.position(over.new.sql), over.catch_up_within_s)
        deadline = place.clock.now().timestamp() + over.catch_up_within_s
        while (found := replica.following(over.old.sql)) is None or not found.healthy:
            if place.clock.now().timestamp() > deadline:
                trouble = found.trouble if found else "it follows nothing"
                raise ServiceFailed(
                    over.old.sql.name,
                    f"does not follow {over.new.sql.name}: {trouble}",
                    "its orders are at the target only: mend the replication before anything else",
                )
            place.clock.sleep(0.1)


def answer_left_open(place: Workplace, stage_name: str, because: str) -> None:
    """Give an outcome to what an earlier, killed run of the cutover or rollback has left without one."""
    began = place.ledger.entries("intent", f"stage/{stage_name}")[-1].index
    for entry in _left_open(place, "edge/", "dns/", "database/", "stage/cutover", "stage/rollback"):
        if entry.index < began:
            place.ledger.append(
                "outcome", entry.subject, {"intent": entry.index, "done": False, "error": because}
            )


def _left_open(place: Workplace, *prefixes: str) -> list[Entry]:
    return [entry for entry in place.ledger.open_intents() if entry.subject.startswith(prefixes)]
