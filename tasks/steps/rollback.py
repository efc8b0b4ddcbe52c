"""The rollback: the database, the traffic and DNS back to the source, whatever the world shows."""

from __future__ import annotations

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.gates.shift import difference, judge_shift
from tasks.steps.changing import answer_left_open, bring_database_back, target_is_primary
from tasks.steps.cutover import ALL_SOURCE
from tasks.steps.finalize import FINAL
from tasks.steps.stage import Draft
from tasks.steps.workplace import current


def require_not_final(draft: Draft) -> None:
    """Take a finding on whether there is a way back. Raises Halt once the exit is final."""
    place = current()
    final = place.ledger.entries(kind="milestone", subject=FINAL)
    draft.require(
        Finding(
            code="RBK-OPEN",
            subject=place.site.name,
            verdict=Verdict.FAIL if final else Verdict.PASS,
            observed=f"finalized at {final[-1].at:%F %T} UTC" if final else "not finalized",
            expected="an exit that has not been finalized",
            remedy="the source has been stopped: a return is a new exit, the other way round"
            if final
            else "",
            severity=Severity.CRITICAL,
        )
    )


def show_state(draft: Draft) -> None:
    """What the ledger has left open and what the world shows, before anything is undone."""
    place = current()
    unfinished = [entry.subject for entry in place.ledger.open_intents() if entry.subject != "stage/rollback"]
    state = {
        "unfinished_intents": unfinished,
        "target_is_primary": target_is_primary(place),
        "target_percent": place.drivers.source_edge().weights()["target"],
        "dns": list(place.drivers.dns().address(place.site.dns.name)[0]),
    }
    draft.figures["before"] = state
    place.progress.step(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in state.items()))


@task(name="take database back", cache_policy=NO_CACHE)
def take_database_back(draft: Draft) -> None:
    """Make the source the primary again; it has followed the target, so it has every order."""
    place = current()
    outcome = bring_database_back(draft, place)
    if outcome is None:
        place.progress.step("the source's database takes the writes")
        return
    draft.figures["write_freeze_s"] = round(outcome.freeze_s, 3)
    draft.changes += 1


@task(name="take traffic back", cache_policy=NO_CACHE)
def take_traffic_back(draft: Draft) -> None:
    """All traffic to the source, at both edges: some clients still hold the target's address."""
    place = current()
    for edge in (place.drivers.source_edge(), place.drivers.target_edge()):
        if edge.weights() == ALL_SOURCE:
            continue
        with place.ledger.effect("edge/shift", {"part": edge.name, "percent": 0, "because": "rollback"}):
            edge.shift(ALL_SOURCE)
        draft.changes += 1


@task(name="take dns back", cache_policy=NO_CACHE)
def take_dns_back(draft: Draft) -> None:
    """Point the name at the source again, wait the TTL out, and see the traffic there."""
    place = current()
    site, zone = place.site, place.drivers.dns()
    wanted = (site.source.edge.address,)
    edge = place.drivers.source_edge()
    before, start = edge.counters(), time.monotonic()
    if zone.address(site.dns.name)[0] != wanted:
        body = {"part": site.dns.name, "address": wanted[0], "because": "rollback"}
        with place.ledger.effect("dns/set", body):
            zone.set_address(site.dns.name, wanted, site.dns.cutover_ttl_s)
        draft.changes += 1
    place.clock.sleep(site.dns.cutover_ttl_s + site.cutover.step_hold_s)
    spent = difference(before, edge.counters())
    answer_left_open(place, "rollback", "the run ended before its outcome; taken back by the rollback")
    draft.figures["back_s"] = round(time.monotonic() - start, 3)
    found = judge_shift(0, spent, max_error_rate=site.cutover.max_error_rate, min_requests=0)
    errors = spent["source"]["errors"]
    verdict = Verdict.FAIL if errors else found.verdict
    draft.add([found.model_copy(update={"code": "RBK-SERVES", "subject": edge.name, "verdict": verdict})])
