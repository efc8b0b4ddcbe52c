"""What the independent customers saw, beside what both databases hold: the proof that no order was lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from inventory.models.finding import Finding, Severity
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from rehearsal.orders import OrderReport, compare_orders, read_checkouts, rows_of
from rehearsal.plan import Plan
from tasks.checks.evidence import observed
from tasks.drivers.ports import Clock, Sql
from tasks.move.replica import read_only

STAGE = "customers"


class Databases(Protocol):
    """Both sides' databases."""

    def source_database(self) -> Sql:
        """The source's."""

    def target_database(self) -> Sql:
        """The target's."""


def customers_saw(plan: Plan, log: Path, databases: Databases, clock: Clock) -> StageResult:
    """Read the customers' log and both orders tables, and judge them."""
    began = clock.now()
    lines = log.read_text().splitlines()
    sides = {"source": databases.source_database(), "target": databases.target_database()}
    primary = "source" if not read_only(sides["source"]) else "target"
    other = "target" if primary == "source" else "source"
    rows = {side: rows_of(sql, plan.database) for side, sql in sides.items()}
    orders = compare_orders(read_checkouts(lines), rows[primary], rows[other])
    requests = [json.loads(line) for line in lines]
    failed = [each for each in requests if _failed(each)]
    evidence = (observed(clock, str(log), log.read_bytes()),)
    findings = (
        Finding(
            code="CUS-REQUESTS",
            subject=plan.shop_name,
            verdict=Verdict.FAIL if failed else (Verdict.PASS if requests else Verdict.NODATA),
            observed=f"{len(failed)} of {len(requests)} requests failed",
            expected="no failed request",
            evidence=evidence,
            remedy=f"see the first: {json.dumps(failed[0])}" if failed else "",
            severity=Severity.CRITICAL,
        ),
        Finding(
            code="CUS-ORDERS",
            subject=f"{plan.database}.orders",
            verdict=_judged(orders),
            observed=f"{orders.acknowledged} orders acknowledged, {orders.placed} stand in the primary "
            f"({primary}); {len(orders.lost)} lost, {len(orders.doubled)} doubled",
            expected="every acknowledged order once in the primary, none doubled",
            evidence=evidence,
            remedy=f"lost: {orders.lost[:3]}, doubled: {orders.doubled[:3]}" if not orders.sound else "",
            severity=Severity.CRITICAL,
        ),
    )
    return StageResult(
        name=STAGE,
        verdict=max((f.verdict for f in findings), key=list(Verdict).index),
        started_at=began,
        seconds=round((clock.now() - began).total_seconds(), 3),
        findings=findings,
        figures={
            "requests": len(requests),
            "failed": len(failed),
            "orders_placed": orders.placed,
            "orders_acknowledged": orders.acknowledged,
            "orders_lost": len(orders.lost),
            "orders_doubled": len(orders.doubled),
            "orders_by_site": orders.by_site,
            "orders_unanswered": len(orders.unanswered),
            "primary": primary,
            "moments": moments(requests),
            "timeline": timeline(requests),
        },
    )


def moments(requests: Sequence[dict[str, Any]]) -> dict[str, float]:
    """When trouble showed, in unix seconds; a key is missing where there was no such request.

    `failed_from`: when the first request that failed should have started; `failed_until`: the end of the last
    one; `left_until`: the end of the last answer of another site than that of the first answer, which is the
    source's, as customers come before the first shift.
    """
    found: dict[str, float] = {}
    failed = [each for each in requests if _failed(each)]
    if failed:
        found["failed_from"] = min(float(each["t"]) for each in failed)
        found["failed_until"] = max(map(_ended, failed))
    answered = [each for each in requests if each.get("site")]
    if answered:
        source = min(answered, key=_ended)["site"]
        elsewhere = [_ended(each) for each in answered if each["site"] != source]
        if elsewhere:
            found["left_until"] = max(elsewhere)
    return {name: round(at, 3) for name, at in found.items()}


def _ended(request: dict[str, Any]) -> float:
    return float(request["t"]) + float(request["ms"]) / 1000


def timeline(requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per second: when (unix time), requests, failed ones, and how many each side answered."""
    seconds: dict[int, dict[str, Any]] = {}
    for each in requests:
        at = int(each["t"])
        bucket = seconds.setdefault(
            at, {"at": at, "requests": 0, "failed": 0, "sites": {}, "slowest_ms": 0.0}
        )
        bucket["requests"] += 1
        bucket["failed"] += _failed(each)
        bucket["slowest_ms"] = max(bucket["slowest_ms"], round(float(each["ms"]), 1))
        site = each.get("site") or "none"
        bucket["sites"][site] = bucket["sites"].get(site, 0) + 1
    return [seconds[at] for at in sorted(seconds)]


def _failed(request: dict[str, Any]) -> bool:
    """No answer at all, or one of 400 and more."""
    return not 200 <= request["status"] < 400


def _judged(orders: OrderReport) -> Verdict:
    if not orders.acknowledged:
        return Verdict.NODATA
    return Verdict.PASS if orders.sound else Verdict.FAIL
