"""The latency gate: is the target not slower than the source, beyond a margin, in paired rounds?

Non-inferiority by paired rounds (`tasks.gates.endpoint`) at three looks (`tasks.gates.looks`). All endpoints
must pass at the same look (intersection-union, so alpha is not divided), one that fails is enough to fail.

What is judged: `*`, which is over all requests, always; and every route for itself as far as it has the
requests (`MIN_REQUESTS` in a round). An endpoint of `*` without enough requests is `nodata` and blocks. A
route that has too few in every round is shown as `nodata` and does not block, as its requests are judged in
`*`; a route that has enough in some rounds and not in others has missing rounds, which is inconclusive and
blocks. So nothing becomes a pass by being rare.

Missing rounds are inconclusive, never left out: what makes rounds fail is not independent of latency.

Rounds of the vantage `server` (what the servers state of themselves) are judged apart, by the same rules, and
must pass as well: to a client a nearer site hides slower compute. Without any, the answer says that nothing
was judged there, and blocks where the site asks for them (`latency.require_server_side`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inventory.errors import BadInput
from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.disturbance import disturbed
from tasks.gates.endpoint import ERRORS, MIN_REQUESTS, Endpoint, Side, error_endpoint, percentile_endpoint
from tasks.gates.latency_reasons import OVER_ALL, Judged, blocking, reasons_of, wanted_of
from tasks.gates.looks import MIN_ROUNDS, Z_BOUNDS, look_points, t_bound, tail
from tasks.gates.rounds_file import PERCENTILES, Round, Vantage, read_rounds

_ENDPOINTS = (*PERCENTILES, ERRORS)


@dataclass(frozen=True)
class Look:
    """One look: after `rounds` rounds, at a one-sided error of `alpha`."""

    look: int  # 1, 2 or 3
    rounds: int
    z: float
    alpha: float
    t: float | None
    verdict: Verdict


@dataclass(frozen=True)
class LatencyVerdict:
    """What the gate says; `routes[route][p50|p95|p99|errors]`, as of the last look that was taken.

    `routes` is what clients observed, `server_routes` what the servers did (empty: not measured).
    `more_rounds` is how many rounds an inconclusive answer wants beyond those that were run; None: none.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    planned_rounds: int
    more_rounds: int | None
    looks: tuple[Look, ...]
    routes: Mapping[str, Mapping[str, Endpoint]]
    server_routes: Mapping[str, Mapping[str, Endpoint]]

    @property
    def decided(self) -> bool:
        """Whether more rounds cannot change it."""
        return self.verdict in (Verdict.PASS, Verdict.FAIL)

    def document(self) -> dict[str, Any]:
        """The answer of `judge latency`; formats in docs/formats.md."""
        return {
            "schema": "safe-harbor/latency-verdict/v1",
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "planned_rounds": self.planned_rounds,
            "more_rounds": self.more_rounds,
            "looks": [_plain(asdict(look)) for look in self.looks],
            "routes": _plain_routes(self.routes),
            "server_routes": _plain_routes(self.server_routes),
        }


def judge_latency_file(
    path: Path,
    margins: Mapping[str, float] | None = None,
    gate: LatencyGate | None = None,
    planned: int | None = None,
) -> dict[str, Any]:
    """`judge latency FILE [--margin p99=0.15]`: the document of the verdict, and what disturbed its rounds.

    Raises BadInput.
    """
    policy = with_margins(gate or LatencyGate(), margins)
    rounds = read_rounds(path)
    try:
        verdict = judge(rounds.rounds, planned or rounds.planned_rounds, policy)
    except BadInput as error:
        raise BadInput(error.what, path) from error
    return verdict.document() | {"disturbed": disturbed(rounds.readings)}


def with_margins(gate: LatencyGate, margins: Mapping[str, float] | None) -> LatencyGate:
    """The gate with these margins instead of its own, and with a default for each that it has not.

    Raises BadInput for a percentile that is none, or a margin that cannot be.
    """
    for name, margin in (margins or {}).items():
        if name not in PERCENTILES:
            raise BadInput(f"--margin {name}: no such percentile; allowed: {', '.join(PERCENTILES)}")
        if not 0 < margin <= 10:
            raise BadInput(f"--margin {name}={margin}: allowed are numbers above 0, as 0.15 for 15 %")
    return gate.model_copy(update={"margins": {**LatencyGate().margins, **gate.margins, **(margins or {})}})


def judge(rounds: Iterable[Round], planned: int | None, gate: LatencyGate) -> LatencyVerdict:
    """Looks at as many rounds as there are, and stops at the first look that decides.

    `planned` None: as many as the highest number says, and at least 12. Raises BadInput for a round beyond
    what was planned.
    """
    taken = tuple(rounds)
    sides = {"client": by_route(taken, "client"), "server": by_route(taken, "server")}
    numbers = {item.round for item in taken}
    first = 0 if 0 in numbers else 1
    highest = max(numbers, default=0) - first + 1
    planned = planned if planned is not None else max(MIN_ROUNDS, highest)
    if highest > planned:
        raise BadInput(f"round {max(numbers)} lies beyond the {planned} rounds that were planned")
    sides["client"].setdefault(OVER_ALL, {})
    if sides["server"] or gate.require_server_side:
        sides["server"].setdefault(OVER_ALL, {})
    gate = with_margins(gate, None)
    floor_ms = gate.floor_ms if gate.server_floor_ms is None else gate.server_floor_ms
    gates = {"client": gate, "server": gate.model_copy(update={"floor_ms": floor_ms})}
    looks: list[Look] = []
    judged: Judged = {}
    for look, count in enumerate(look_points(planned)):
        if highest < count and looks:
            break  # these rounds were not run (yet)
        wanted = range(first, first + count)
        judged = {
            vantage: {
                name: endpoints_of(routes[name], wanted, look, gates[vantage]) for name in sorted(routes)
            }
            for vantage, routes in sides.items()
        }
        verdict = _at_look(judged, planned)
        bound = t_bound(look, count) if count > 1 else None
        looks.append(Look(look + 1, count, Z_BOUNDS[look], tail(look), bound, verdict))
        if verdict in (Verdict.PASS, Verdict.FAIL):
            break
    verdict = looks[-1].verdict
    more = wanted_of(judged, planned, highest) if verdict is Verdict.INCONCLUSIVE else None
    reasons = reasons_of(judged, verdict, planned=planned, run=highest, more=more)
    return LatencyVerdict(verdict, reasons, planned, more, tuple(looks), judged["client"], judged["server"])


def by_route(rounds: Iterable[Round], vantage: Vantage) -> dict[str, dict[int, dict[str, Round]]]:
    """Route -> number -> side -> round, of one vantage."""
    routes: dict[str, dict[int, dict[str, Round]]] = {}
    for item in rounds:
        if item.vantage == vantage:
            routes.setdefault(item.route, {}).setdefault(item.round, {})[item.side] = item
    return routes


def endpoints_of(
    of_route: Mapping[int, Mapping[str, Round]], wanted: Sequence[int], look: int, gate: LatencyGate
) -> dict[str, Endpoint]:
    """Every endpoint of one route at one look, over the rounds that are wanted."""
    pairs = [
        (sides["source"], sides["target"]) for number in wanted if len(sides := of_route.get(number, {})) == 2
    ]
    return {name: _endpoint(name, pairs, len(wanted), look, gate) for name in _ENDPOINTS}


def _endpoint(name: str, pairs: Sequence[Side], wanted: int, look: int, gate: LatencyGate) -> Endpoint:
    margin = gate.error_rate_margin if name == ERRORS else gate.margins[name]  # type: ignore[index] # one of the keys
    least = MIN_REQUESTS[name]
    enough = [pair for pair in pairs if min(pair[0].requests, pair[1].requests) >= least]
    if not enough:
        seen = max((min(s.requests, t.requests) for s, t in pairs), default=0)
        return Endpoint(Verdict.NODATA, f"{seen} requests a round, {name} needs {least}", 0, margin)
    if len(enough) < wanted or wanted < 2:  # a deviation needs two
        return Endpoint(
            Verdict.INCONCLUSIVE, f"{len(enough)} complete rounds of {wanted}", len(enough), margin
        )
    if name == ERRORS:
        return error_endpoint(enough, look, gate)
    return percentile_endpoint(enough, name, look, gate)  # type: ignore[arg-type] # PERCENTILES but for ERRORS


def _at_look(judged: Judged, planned: int) -> Verdict:
    verdicts = {endpoint.verdict for _, endpoint in blocking(judged)}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if Verdict.NODATA in verdicts:
        return Verdict.NODATA
    if verdicts == {Verdict.PASS} and planned >= MIN_ROUNDS:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}


def _plain_routes(routes: Mapping[str, Mapping[str, Endpoint]]) -> dict[str, Any]:
    return {
        route: {name: _plain(asdict(endpoint)) for name, endpoint in endpoints.items()}
        for route, endpoints in routes.items()
    }
