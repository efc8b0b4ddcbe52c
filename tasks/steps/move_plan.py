"""What the copies of a move would change: asks both sides, alters nothing, a line for each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.drivers.errors import HostUnreachable, LoginRefused
from tasks.drivers.ports import Sql
from tasks.move import replica
from tasks.move.bucket import plan_bucket
from tasks.move.database import plan_database
from tasks.move.images import compare_images, images_used, plan_images
from tasks.move.objects import object_changes, plan_objects, read_objects
from tasks.move.plan import read_tables
from tasks.steps.changing import origin_of
from tasks.steps.move import mapped, open_copier
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

T = TypeVar("T")


@task(name="show copies", cache_policy=NO_CACHE)
def show_copies(draft: Draft) -> None:
    """Images, database, bucket and objects that are not at the target as they shall be.

    Raises what the move would raise, except where a service of the target does not answer that this move
    would raise first: such a service has nothing yet.
    """
    _images(draft)
    _database(draft)
    _bucket(draft)
    _objects(draft)


def _images(draft: Draft) -> None:
    place = current()
    site = place.site
    found = read_objects(place.drivers.source_kube(), site.workload.namespaces)
    moves = plan_images(images_used(found), site.source.registry.address, site.target.registry.address)
    with open_copier(site) as copier:
        compared = _unless_raised_first(draft, "registry", lambda: compare_images(moves, copier))
        if compared is None:
            compared = compare_images(moves, copier, registry_there=False)
    for each in compared:
        if each.copied:
            _change(draft, f"copy the image {each.original} to {each.new_name}")
    draft.figures["images"] = {
        "count": len(compared),
        "to_copy": sum(each.copied for each in compared),
        "names": {each.original: each.new_name for each in compared},
    }


def _database(draft: Draft) -> None:
    place = current()
    site, source = place.site, place.drivers.source_database()
    target = _unless_raised_first(draft, "mariadb", lambda: _answering(place.drivers.target_database()))
    changes = plan_database(source, target, site.target.database.name, origin_of(site.source.database))
    for change in changes:
        _change(draft, change)
    tables = read_tables(source, site.source.database.name)
    draft.figures["database"] = {
        "tables": len(tables),
        "rows_estimated": sum(table.rows for table in tables),
        "bytes_estimated": sum(table.size_bytes for table in tables),
        "to_change": list(changes),
    }


def _bucket(draft: Draft) -> None:
    place = current()
    source, target = place.drivers.source_bucket(), place.drivers.target_bucket()
    stands = _unless_raised_first(draft, "objectstore", place.drivers.target_bucket_stands)
    there, readable = stands or (False, False)
    if not there:
        _change(draft, f"create {target.name}, readable by whoever reaches it")
    elif not readable:
        _change(draft, f"let whoever reaches it read {target.name}")
    planned = plan_bucket(source, target if there else None, on_progress=place.progress.step)
    if planned.to_copy:
        draft.changes += planned.to_copy
        draft.would(
            f"copy {planned.to_copy} of {planned.objects} objects, {planned.to_copy_bytes} bytes, "
            f"from {source.name} to {target.name}"
        )
    draft.figures["bucket"] = {
        "count": planned.objects,
        "bytes": planned.bytes,
        "to_copy": planned.to_copy,
        "to_copy_bytes": planned.to_copy_bytes,
    }


def _objects(draft: Draft) -> None:
    place = current()
    site = place.site
    found = read_objects(place.drivers.source_kube(), site.workload.namespaces)
    plan = plan_objects(found, mapped(site, draft))
    changes = object_changes(plan, place.drivers.target_kube())
    for change in changes:
        _change(draft, change)
    draft.figures["objects"] = {
        "count": len(plan.objects),
        "to_change": list(changes),
        "dropped": [str(each) for each in plan.dropped],
        "mapped": list(plan.mapped),
    }


def _change(draft: Draft, what: str) -> None:
    draft.changes += 1
    draft.would(what)


def _unless_raised_first(draft: Draft, service: str, ask: Callable[[], T]) -> T | None:
    """The answer, or None where nobody answers yet and this move would raise or mend the service."""
    try:
        return ask()
    except (HostUnreachable, LoginRefused):
        planned = draft.figures.get("changes_by_phase", {})
        if not any(changes and phase.startswith(service) for phase, changes in planned.items()):
            raise
        return None


def _answering(sql: Sql) -> Sql:
    replica.read_only(sql)
    return sql
