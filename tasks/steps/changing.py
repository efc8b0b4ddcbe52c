"""The database's changeover as the steps use it: its parts put together, every one of its steps recorded."""

from __future__ import annotations

from collections.abc import Callable

from inventory.models.finding import Finding, Severity
from inventory.models.services import Database
from inventory.models.verdict import Verdict
from tasks.drivers.errors import OutsideError
from tasks.move.changeover import Changeover, Outcome, Primary, Step, change_over, standing
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
    try:
        return standing(changeover_of(place)).new_takes_writes
    except OutsideError:
        # Nobody has promoted what cannot be asked: before `move` there is no server at the target.
        if place.ledger.entries(kind="intent", subject="database/promote_new"):
            raise
        return False
