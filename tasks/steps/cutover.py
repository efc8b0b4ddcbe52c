"""The cutover: shares of traffic, the database, DNS; and the way back while it is under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.drivers.errors import OutsideError
from tasks.gates.shift import difference, judge_shift
from tasks.move import replica
from tasks.steps.approve import approved_digest, digest_to_sign
from tasks.steps.changing import (
    answer_left_open,
    bring_database_back,
    changeover_of,
    run_changeover,
    target_is_primary,
)
from tasks.steps.stage import Draft, read_result
from tasks.steps.workplace import Workplace, current

LOOK_EVERY_S = 0.25
MIN_REQUESTS = 50  # in one hold; fewer say nothing of a share of 1 %
TRAFFIC_PATIENCE_S = 60.0
ALL_SOURCE = {"source": 100, "target": 0}
ALL_TARGET = {"source": 0, "target": 100}


def require_approval(draft: Draft) -> None:
    """Take a finding on whether the gate's present decision is approved. Raises Halt where it is not."""
    digest, approved = digest_to_sign(), approved_digest()
    same = digest == approved
    draft.require(
        Finding(
            code="CUT-APPROVED",
            subject=f"decision/{digest[:16]}",
            verdict=Verdict.PASS if same else Verdict.FAIL,
            observed="approved" if same else f"the last approval is of {(approved or 'nothing')[:16]}",
            expected="an approval of exactly this decision in the ledger",
            remedy="" if same else "`safe-harbor approve SITE`: the evidence has changed since",
            severity=Severity.CRITICAL,
        )
    )


def show_steps() -> None:
    """Say what a real run would do."""
    place = current()
    site = place.site
    for percent in site.cutover.steps_percent:
        place.progress.say(
            f"would shift {percent} % to the target and watch for {site.cutover.step_hold_s:g} s"
        )
    place.progress.say(f"would hold writes and make {site.target.database.host} the primary")
    place.progress.say(f"would point {site.dns.name} at {site.target.edge.address}")


@task(name="begin", cache_policy=NO_CACHE)
def begin(draft: Draft) -> bool:
    """Start from the source, wherever an earlier run was left; False where the cutover stands already."""
    place = current()
    site, edge, zone = place.site, place.drivers.source_edge(), place.drivers.dns()
    answer_left_open(place, "cutover", "the run ended before its outcome; the next one looks at the world")
    at_target = target_is_primary(place)
    named = zone.address(site.dns.name)[0] == (site.target.edge.address,)
    if at_target and named and edge.weights()["target"] == 100:
        last = read_result(place.state, "cutover")
        draft.figures |= last.figures if last is not None else {}
        draft.add([_stands(site.dns.name, site.target.edge.address)])
        return False
    if at_target or replica.read_only(place.drivers.source_database()):
        place.progress.step("an earlier cutover was left unfinished: the database goes back first")
        bring_database_back(draft, place)
    if named:
        _name_source(place)
    return True


def _stands(name: str, address: str) -> Finding:
    return Finding(
        code="CUT-STANDS",
        subject=name,
        verdict=Verdict.PASS,
        observed=f"all traffic and the writes are at the target, and {name} is {address}",
        expected="nothing is done twice",
        severity=Severity.CRITICAL,
    )


def _name_source(place: Workplace) -> None:
    """Point the shop's name at the source's edge."""
    site, zone = place.site, place.drivers.dns()
    _bring(
        place,
        "dns/set",
        site.dns.name,
        lambda: zone.set_address(site.dns.name, [site.source.edge.address], site.dns.cutover_ttl_s),
        address=site.source.edge.address,
    )


@task(name="judge baseline", cache_policy=NO_CACHE)
def judge_baseline(draft: Draft) -> None:
    """Wait for live traffic, and judge it before anything is shifted. Raises Halt without traffic."""
    place = current()
    draft.figures["started_at"] = place.clock.now().isoformat()
    draft.figures["steps"] = []
    place.progress.step("watching the traffic before the first shift")
    edge = place.drivers.source_edge()
    _bring(place, "edge/shift", edge.name, lambda: edge.shift(ALL_SOURCE), percent=0)
    deadline = time.monotonic() + TRAFFIC_PATIENCE_S
    while time.monotonic() < deadline:
        finding, spent = _watch(place, 0, place.site.cutover.step_hold_s)
        if finding.verdict is not Verdict.NODATA:
            break
    draft.figures["steps"].append(_figures(draft, place, 0, spent))
    draft.require(finding)


@task(name="shift", cache_policy=NO_CACHE)
def shift(draft: Draft, percent: int) -> None:
    """Give the target its share at the source's edge, watch, judge. Raises Halt where it does not pass."""
    place = current()
    place.progress.step(f"{percent} % of the traffic to the target")
    edge = place.drivers.source_edge()
    _bring(
        place,
        "edge/shift",
        edge.name,
        lambda: edge.shift({"source": 100 - percent, "target": percent}),
        percent=percent,
    )
    finding, spent = _watch(place, percent, place.site.cutover.step_hold_s)
    draft.figures["steps"].append(_figures(draft, place, percent, spent))
    draft.require(finding)


@task(name="change database", cache_policy=NO_CACHE)
def change_database(draft: Draft) -> None:
    """Hold writes, make the target's database the primary, let the writes go on."""
    place = current()
    place.progress.step("changing the database over")
    outcome = run_changeover(draft, place, changeover_of(place))
    draft.figures["write_freeze_s"] = round(outcome.freeze_s, 3)
    draft.figures["changeover_s"] = {name: round(value, 3) for name, value in outcome.seconds.items()}
    finding, spent = _watch(place, 100, place.site.cutover.step_hold_s)
    draft.figures["steps"].append(_figures(draft, place, 100, spent))
    draft.require(finding)


@task(name="switch dns", cache_policy=NO_CACHE)
def switch_dns(draft: Draft) -> None:
    """Point the shop's name at the target's edge, and watch the traffic arrive there."""
    place = current()
    site = place.site
    place.progress.step(f"pointing {site.dns.name} at {site.target.edge.address}")
    zone, edge = place.drivers.dns(), place.drivers.target_edge()
    if edge.weights() != ALL_TARGET:  # a rollback has turned it towards the source
        _bring(place, "edge/shift", edge.name, lambda: edge.shift(ALL_TARGET), percent=100)
    before = edge.counters()
    _bring(
        place,
        "dns/set",
        site.dns.name,
        lambda: zone.set_address(site.dns.name, [site.target.edge.address], site.dns.cutover_ttl_s),
        address=site.target.edge.address,
    )
    place.clock.sleep(site.dns.cutover_ttl_s + site.cutover.step_hold_s)
    spent = difference(before, edge.counters())
    draft.figures["dns_switched_at"] = place.clock.now().isoformat()
    draft.require(
        judge_shift(
            100, spent, max_error_rate=site.cutover.max_error_rate, min_requests=MIN_REQUESTS
        ).model_copy(update={"code": "CUT-DNS", "subject": site.dns.name})
    )


@task(name="revert", cache_policy=NO_CACHE)
def revert(draft: Draft) -> None:
    """All traffic back to the source, at once, whatever has been done so far.

    The figure `revert_s` counts from here: how long it took to notice is the customers' to say.
    """
    place = current()
    site, start = place.site, time.monotonic()
    place.progress.step("taking all traffic back to the source")
    edge = place.drivers.source_edge()
    bring_database_back(draft, place)  # the source must take writes before it gets any
    _bring(place, "edge/shift", edge.name, lambda: edge.shift(ALL_SOURCE), percent=0, because="reverted")
    if place.drivers.dns().address(site.dns.name)[0] != (site.source.edge.address,):
        _name_source(place)
        _turn_target_edge(place)
    seconds = time.monotonic() - start
    draft.figures["revert_s"] = round(seconds, 3)
    finding, spent = _watch(place, 0, site.cutover.step_hold_s)
    draft.figures.setdefault("steps", []).append(_figures(draft, place, 0, spent))
    late = seconds > site.cutover.revert_within_s
    draft.add(
        [
            finding.model_copy(
                update={
                    "code": "CUT-REVERTED",
                    "subject": edge.name,
                    "verdict": Verdict.FAIL if late else finding.verdict,
                    "observed": f"all traffic at the source after {seconds:.1f} s; {finding.observed}",
                    "expected": f"within {site.cutover.revert_within_s:g} s, and the source answers",
                }
            )
        ]
    )


def _turn_target_edge(place: Workplace) -> None:
    """Some clients hold the target's address until the TTL is over: its edge sends them to the source."""
    edge = place.drivers.target_edge()
    try:
        _bring(place, "edge/shift", edge.name, lambda: edge.shift(ALL_SOURCE), percent=0, because="reverted")
    except OutsideError as error:
        place.progress.say(f"the target's edge could not be turned: {error}")


def _watch(place: Workplace, percent: int, hold_s: float) -> tuple[Finding, dict[str, dict[str, int]]]:
    """Look at the source's edge until the hold is over or something fails."""
    edge, rules = place.drivers.source_edge(), place.site.cutover
    before, deadline = edge.counters(), time.monotonic() + hold_s
    while True:
        place.clock.sleep(LOOK_EVERY_S)
        spent = difference(before, edge.counters())
        finding = judge_shift(percent, spent, max_error_rate=rules.max_error_rate, min_requests=MIN_REQUESTS)
        if finding.verdict is Verdict.FAIL or time.monotonic() >= deadline:
            return finding, spent


def _figures(
    draft: Draft, place: Workplace, percent: int, spent: dict[str, dict[str, int]]
) -> dict[str, Any]:
    del draft
    return {
        "percent": percent,
        "at": place.clock.now().isoformat(),
        "requests": sum(side["requests"] for side in spent.values()),
        "errors": sum(side["errors"] for side in spent.values()),
        "target_requests": spent["target"]["requests"],
        "fallbacks": spent["target"]["fallbacks"],
    }


def _bring(place: Workplace, subject: str, part: str, act: Callable[[], None], **what: object) -> None:
    with place.ledger.effect(subject, {"part": part, **what}):
        act()
