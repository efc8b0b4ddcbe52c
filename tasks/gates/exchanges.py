"""Round trips to the internet exchanges: is the target as near to them as it should be, from every vantage?

Both NIX1 and NIX2 are asked, as they are separate exchanges: being near to one says nothing of the other. An
answer speaks of the machine that answered, not of who runs it: Amazon peers at NIX as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.site import Exchange
from inventory.models.verdict import Verdict
from tasks.facts.round_trips import RoundTrips

MIN_VANTAGES = 2
CODE = "NIX-RTT"


def judge_exchange(
    exchange: Exchange, measured: Mapping[str, RoundTrips | None], evidence: tuple[Evidence, ...] = ()
) -> Finding:
    """One finding; `measured` by vantage point (a node's name), None where it could not be asked.

    `fail` where a minimum or a p99 lies above its bound from any vantage (an echo that was lost counts as one
    that took for ever), `nodata` where fewer than two vantages got an answer.
    """
    answered = {name: trips for name, trips in measured.items() if trips is not None and trips.times_ms}
    far = [
        name
        for name, trips in answered.items()
        if trips.min_ms > exchange.max_min_ms or trips.p99_ms > exchange.max_p99_ms
    ]
    told = [_told(name, trips) for name, trips in sorted(measured.items())]
    if far:
        verdict, remedy = Verdict.FAIL, f"traceroute {exchange.address} from {far[0]}; ask the carrier"
    elif len(answered) < MIN_VANTAGES:
        verdict = Verdict.NODATA
        remedy = (
            f"let {MIN_VANTAGES} nodes or more send ICMP echo to {exchange.address}, and have ping on them"
        )
    else:
        verdict, remedy = Verdict.PASS, ""
    return Finding(
        code=CODE,
        subject=exchange.name,
        verdict=verdict,
        observed="; ".join(told) or "no node was asked",
        expected=(
            f"min at most {exchange.max_min_ms:g} ms, p99 at most {exchange.max_p99_ms:g} ms, "
            f"from {MIN_VANTAGES} nodes or more"
        ),
        evidence=evidence,
        remedy=remedy,
        severity=Severity.HIGH,
    )


def _told(name: str, trips: RoundTrips | None) -> str:
    if trips is None:
        return f"{name}: could not be asked"
    if not trips.times_ms:
        return f"{name}: 0 of {trips.sent} came back"
    p99 = f"{trips.p99_ms:g} ms" if trips.p99_ms < float("inf") else "lost"
    lost = trips.sent - len(trips.times_ms)
    return f"{name}: min {trips.min_ms:g} ms, p99 {p99}, {lost} of {trips.sent} lost"
