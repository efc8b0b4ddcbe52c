"""Round trips from the nodes to the exchanges that the site file names; it names none by default."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.checks.evidence import observed
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts import round_trips
from tasks.facts.round_trips import RoundTrips
from tasks.gates.exchanges import judge_exchange
from tasks.steps.hosts import on_each
from tasks.steps.stage import Draft
from tasks.steps.workplace import current

ECHOES = 100  # the fewest that have a 99th percentile of their own; ten a second


@task(name="judge round trips", cache_policy=NO_CACHE)
def judge_round_trips(draft: Draft) -> None:
    """Ask every node at once, and judge each exchange by all of them."""
    place = current()
    exchanges = place.site.latency.exchanges
    if not exchanges:
        return
    hosts = place.drivers.hosts()
    addresses = [str(exchange.address) for exchange in exchanges]
    place.progress.step(f"{ECHOES} echoes from {len(hosts)} nodes to {', '.join(e.name for e in exchanges)}")
    asked = round_trips.ask(ECHOES, addresses)

    def measure(name: str) -> tuple[Mapping[str, RoundTrips] | None, str]:
        try:
            return _measured(hosts[name], ECHOES, addresses)
        except (OutsideError, ValueError) as error:
            return None, f"{name}: {error}"

    answers = on_each(sorted(hosts), measure)
    for exchange, address in zip(exchanges, addresses, strict=True):
        seen = {name: trips[address] if trips else None for name, (trips, _) in answers.items()}
        raw = "\n".join(f"{name}\n{text}" for name, (_, text) in answers.items())
        draft.add([judge_exchange(exchange, seen, (observed(place.clock, str(asked.command), raw),))])
        draft.figures.setdefault("round_trips", {})[exchange.name] = {
            name: _figures(trips) for name, trips in seen.items()
        }


def _measured(host: Host, echoes: int, addresses: list[str]) -> tuple[Mapping[str, RoundTrips] | None, str]:
    """The round trips and what ping said. Raises OutsideError, ValueError where that makes no sense."""
    command = round_trips.command(echoes, addresses)
    said = host.check(command, timeout_s=30 + echoes * 0.1)
    return round_trips.parse(said), said


def _figures(trips: RoundTrips | None) -> dict[str, float | int | None] | None:
    if trips is None:
        return None
    some = bool(trips.times_ms)
    return {
        "sent": trips.sent,
        "lost": trips.sent - len(trips.times_ms),
        "min_ms": trips.min_ms if some else None,
        "p99_ms": trips.p99_ms if math.isfinite(trips.p99_ms) else None,
    }
