"""etcd's own backup and restore: a snapshot on the lead's machine, and the cluster's state out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.etcd_snapshot import require_new, verify
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.drivers import transfer
from tasks.drivers.errors import OutsideError
from tasks.facts import api_ready
from tasks.facts import etcd as etcd_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import gather
from tasks.operations import etcd_snapshot
from tasks.operations.apply import apply, undo
from tasks.operations.flannel import etcd_access
from tasks.operations.preparation import API_PORT, ETCD_PORT, api_endpoint
from tasks.steps.hosts import bring_about, on_each, reach
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current

SUBJECT = "etcd/backup"
READY_WITHIN_S = 180.0


@task(name="save etcd", cache_policy=NO_CACHE)
def save(draft: Draft, out: Path, *, dry_run: bool = False) -> None:
    """A snapshot of a member that answers, fetched to `out` (0600) and verified by the hash inside it.

    Raises BadInput where `out` is there already, OutsideError where no member answers.
    """
    place = current()
    require_new(out)
    node = _member_that_answers()
    change = etcd_snapshot.plan_save(node)
    if dry_run:
        place.progress.say(str(change))
        return
    host = place.drivers.host(node.name)
    place.progress.step(f"saving a snapshot on {node.name}")
    with place.ledger.effect(SUBJECT, {"host": node.name, "file": str(out)}) as effect:
        try:
            apply(host, change)
            asked = etcd_facts.ask_snapshot(etcd_snapshot.SAVED)
            holds = gather(host, (asked,)).of(asked)
            sha256 = transfer.fetch(host, etcd_snapshot.SAVED, out, _told("fetching the snapshot"))
        finally:
            undo(host, change)  # it holds every secret of the cluster
        verify(out)
        draft.figures |= {
            "file": str(out),
            "sha256": sha256,
            "revision": holds.revision,
            "keys": holds.keys,
            "bytes": out.stat().st_size,
        }
        effect.outcome = dict(draft.figures)
    place.progress.say(f"{out}: revision {holds.revision}, {holds.keys} keys, {out.stat().st_size} bytes")


@task(name="judge snapshot", cache_policy=NO_CACHE)
def judge_snapshot(draft: Draft, source: Path) -> None:
    """Is it whole, and this site's own? Raises BadInput where it is damaged or open to others."""
    sha256 = verify(source)
    entries = current().ledger.entries("outcome", SUBJECT)
    known = [entry for entry in entries if entry.body.get("sha256") == sha256]
    draft.require(
        Finding(
            code="ETC-SNAPSHOT",
            subject=source.name,
            verdict=Verdict.PASS if known else Verdict.WARN,
            observed=f"whole; saved at {known[-1].at}"
            if known
            else "whole; not saved by this site's `etcd backup`",
            expected="a whole snapshot that this site's ledger knows",
            remedy="" if known else f"make sure that it is this cluster's: sha256 {sha256}",
            severity=Severity.CRITICAL,
        )
    )
    draft.figures |= {"file": str(source), "sha256": sha256}


@task(name="restore etcd", cache_policy=NO_CACHE)
def restore(draft: Draft, source: Path, *, dry_run: bool = False) -> None:
    """The cluster's state as the snapshot has it, on every member. Raises OutsideError.

    Where the members do not come up with the new data, the old is put back before the error is raised.
    """
    place = current()
    site = place.site
    planes = site.target.having(Role.CONTROL_PLANE)
    names = [node.name for node in planes]
    kept = etcd_snapshot.kept_name(place.clock.now().strftime("%Y%m%dT%H%M%SZ"))
    reach([node.name for node in site.target.nodes])
    if not dry_run:
        for name in names:
            told = _told(f"sending the snapshot to {name}")
            transfer.send(place.drivers.host(name), source, etcd_snapshot.SENT, told)
    _on_planes(draft, "etcd-make", planes, lambda node: etcd_snapshot.plan_make(site, node), dry_run)
    start = time.monotonic()
    try:
        _on_planes(draft, "etcd-stop-api", planes, etcd_snapshot.plan_stop_api, dry_run)
        _on_planes(draft, "etcd-stop", planes, etcd_snapshot.plan_stop, dry_run)
        _on_planes(draft, "etcd-swap", planes, lambda node: etcd_snapshot.plan_swap(node, kept), dry_run)
        _on_planes(draft, "etcd-start", planes, etcd_snapshot.plan_start, dry_run)
    except OutsideError as error:
        _put_back(planes, kept, error)
        raise
    _on_planes(draft, "etcd-start-api", planes, etcd_snapshot.plan_start_api, dry_run)
    if dry_run:
        return
    _wait_for_api()
    draft.figures |= {"kept": kept, "outage_s": round(time.monotonic() - start, 1)}
    _on_planes(draft, "etcd-network", site.target.nodes, etcd_snapshot.plan_network, dry_run)
    place.progress.say(f"restored; the data from before is kept on every control plane in {kept}")


def _put_back(planes: tuple[Node, ...], kept: str, because: OutsideError) -> None:
    """The old data and the API servers again. Raises OutsideError where a member keeps the new data."""
    place = current()
    place.progress.step("putting the old data back")
    nodes = {node.name: node for node in planes}
    ways_back: tuple[Callable[[Node], Change], ...] = (
        etcd_snapshot.plan_start,
        lambda node: etcd_snapshot.plan_swap(node, kept),
        etcd_snapshot.plan_stop,
        etcd_snapshot.plan_stop_api,
    )
    troubles: dict[str, str] = {}
    with place.ledger.effect("etcd/put-back", {"because": str(because), "kept": kept}) as effect:
        for plan in ways_back:  # each on all planes before the next: old and new data must not meet
            told = on_each(list(nodes), partial(_undone, place, nodes, plan))
            troubles = {name: str(error) for name, error in told.items() if error}
            if troubles:
                break
        effect.outcome = {"troubles": troubles}
    if troubles:
        raise OutsideError(
            ", ".join(troubles),
            f"{because}; and the old data could not be put back: {'; '.join(troubles.values())}",
            f"on each of them: systemctl stop etcd, move {kept} to its place, systemctl start etcd",
        )


def _undone(
    place: Workplace, nodes: Mapping[str, Node], plan: Callable[[Node], Change], name: str
) -> OutsideError | None:
    try:
        undo(place.drivers.host(name), plan(nodes[name]))
    except OutsideError as error:
        return error
    return None


def _on_planes(
    draft: Draft, phase: str, nodes: tuple[Node, ...], plan: Callable[[Node], Change], dry_run: bool
) -> None:
    nothing: dict[str, tuple[Asked[Any], ...]] = {node.name: () for node in nodes}
    bring_about(draft, phase, nothing, lambda _: [plan(node) for node in nodes], dry_run=dry_run)


def _member_that_answers() -> Node:
    """The first control plane whose member is up. Raises OutsideError naming them all."""
    place = current()
    planes = place.site.target.having(Role.CONTROL_PLANE)
    troubles = []
    for node in planes:
        asked = etcd_facts.ask_members(etcd_access(f"https://{node.address}:{ETCD_PORT}"))
        try:
            if gather(place.drivers.host(node.name), (asked,)).of(asked):
                return node
            troubles.append(f"{node.name}: its member does not answer")
        except OutsideError as error:
            troubles.append(str(error))
    raise OutsideError(
        ", ".join(node.name for node in planes), "; ".join(troubles), "journalctl -u etcd on each of them"
    )


def _wait_for_api() -> None:
    """Until every API server of the restored cluster is ready. Raises OutsideError naming the others."""
    place = current()
    target = place.site.target
    planes = target.having(Role.CONTROL_PLANE)
    servers = [api_endpoint(target), *(f"{node.address}:{API_PORT}" for node in planes)]
    asked = api_ready.ask(tuple(dict.fromkeys(servers)))
    host = place.drivers.host(planes[0].name)
    start = time.monotonic()
    while True:
        answers = gather(host, (asked,)).of(asked)
        missing = {server: said for server, said in answers.items() if said != "ok"}
        if not missing:
            return
        if time.monotonic() - start > READY_WITHIN_S:
            told = "; ".join(f"{server} says {printable(said, 120)}" for server, said in missing.items())
            raise OutsideError(
                ", ".join(missing),
                f"{told}, {READY_WITHIN_S:.0f} s after the restore",
                "journalctl -u kubelet",
            )
        place.progress.step(f"waiting for {len(missing)} API servers")
        place.clock.sleep(1.0)


def _told(what: str) -> transfer.Told:
    progress = current().progress
    return lambda done, total: progress.step(what, done >> 10, max(total >> 10, 1))
