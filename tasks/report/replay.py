"""The replay's part of the report: rounds, what disturbed them, routes, and the curves over all requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.gates.rounds_file import MachineReading, Reading
from tasks.report.model import Discarded, Replay, Round, RouteRow

OVER_ALL = "*"  # the route of the rounds that holds every request
_PAGE = "page"  # the figure that names the page of its own


@dataclass(frozen=True)
class RoundRow:
    """One side's round beside the worst of its machines; shares are 0..1, None was not read."""

    round: Round
    cpu_busy: float | None
    steal: float | None
    conntrack: float | None
    tcp_resent: int | None
    generator_busy: float | None
    generator_steal: float | None
    missing: tuple[str, ...]


def replay_of(figures: Mapping[str, Any]) -> Replay:
    """From the figures that the replay recorded; the rounds are over all requests, as clients saw them."""
    curves = figures.get("curves_ms", {})
    plain = {k: v for k, v in figures.items() if isinstance(v, str | int | float | bool) and k != _PAGE}
    of_clients = [row for row in figures.get("rounds", ()) if row.get("vantage", "client") == "client"]
    return Replay(
        rounds=tuple(
            Round(**{name: row[name] for name in Round.model_fields})
            for row in of_clients
            if row.get("route", OVER_ALL) == OVER_ALL
        ),
        discarded=tuple(Discarded(**row) for row in figures.get("discarded", ())),
        readings=tuple(Reading(**row) for row in figures.get("readings", ())),
        pilot=figures.get("pilot", {}),
        routes=_routes(figures.get("figures_ms", {}), of_clients),
        curves_ms={side: tuple(routes[OVER_ALL]) for side, routes in curves.items() if routes.get(OVER_ALL)},
        figures=plain,
        bodies=figures.get("bodies", {}),
        answers=figures.get("answers", {}),
        page=str(figures.get(_PAGE, "")),
    )


def round_rows(replay: Replay) -> list[RoundRow]:
    """Every round of every side with the machines that were read for it."""
    machines: dict[tuple[int, str], tuple[MachineReading, ...]] = {
        (each.round, each.side): each.machines for each in replay.readings if each.valid
    }
    return [_row(each, machines.get((each.round, each.side), ())) for each in replay.rounds]


def _row(of_round: Round, machines: Sequence[MachineReading]) -> RoundRow:
    mine = [each for each in machines if each.part != "generator"]
    generator = [each for each in machines if each.part == "generator"]
    resent = [each.tcp_resent for each in mine if each.tcp_resent is not None]
    return RoundRow(
        of_round,
        cpu_busy=_worst(each.cpu_busy for each in mine),
        steal=_worst(each.steal for each in mine),
        conntrack=_worst(each.conntrack for each in mine),
        tcp_resent=sum(resent) if resent else None,
        generator_busy=_worst(each.cpu_busy for each in generator),
        generator_steal=_worst(each.steal for each in generator),
        missing=tuple(f"{each.machine}: {each.missing}" for each in machines if each.missing),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _routes(
    figures_ms: Mapping[str, Mapping[str, Mapping[str, Any]]], rounds: Sequence[Mapping[str, Any]]
) -> tuple[RouteRow, ...]:
    """Percentiles over all rounds of a side; counts are the sums of its rounds."""
    names = sorted({route for routes in figures_ms.values() for route in routes})
    rows = []
    for route in names:
        for side, routes in figures_ms.items():
            if route not in routes:
                continue
            mine = [row for row in rounds if (row["side"], row.get("route", OVER_ALL)) == (side, route)]
            rows.append(
                RouteRow(
                    route=route,
                    side=side,
                    requests=sum(row["requests"] for row in mine),
                    errors=sum(row["errors"] for row in mine),
                    **{f"{name}_ms": routes[route].get(name) for name in ("p50", "p95", "p99")},
                )
            )
    return tuple(rows)
