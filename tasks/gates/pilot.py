"""The pilot: the same side against itself, for how much rounds differ by themselves (A/A).

Its deviation of d = ln(one half / other half) says how many rounds the comparison needs. The halves must not
differ: where they do, something else than the sides makes a difference, and no comparison can be believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.endpoint import ERRORS, Endpoint
from tasks.gates.latency import by_route, endpoints_of, with_margins
from tasks.gates.latency_reasons import OVER_ALL
from tasks.gates.looks import Z_BOUNDS
from tasks.gates.rounds_file import Round, read_rounds

MIN_PILOT_ROUNDS, MAX_PILOT_ROUNDS = 6, 10
_STRICTEST = Z_BOUNDS.index(max(Z_BOUNDS))  # many endpoints are looked at: 0.07 % a side for each


@dataclass(frozen=True)
class PilotEndpoint:
    """One endpoint: how rounds deviate, how many are needed, and the ratio of the halves with its bounds."""

    sigma_d: float
    rounds_needed: int | None
    ratio: float
    lower: float
    upper: float
    differs: bool


@dataclass(frozen=True)
class Pilot:
    """`planned_rounds` is what the endpoint needs that needs most; None where nothing can be said."""

    verdict: Verdict
    reasons: tuple[str, ...]
    rounds: int
    planned_rounds: int | None
    routes: Mapping[str, Mapping[str, PilotEndpoint]]

    def document(self) -> dict[str, Any]:
        """The answer of `judge pilot`; formats in docs/formats.md."""
        return {"schema": "safe-harbor/latency-pilot/v1", **asdict(self), "verdict": self.verdict.value}


def judge_pilot_file(path: Path, margins: Mapping[str, float] | None = None) -> Pilot:
    """`judge pilot FILE`. Raises BadInput."""
    return judge_pilot(read_rounds(path).rounds, with_margins(LatencyGate(), margins))


def judge_pilot(rounds: Iterable[Round], gate: LatencyGate) -> Pilot:
    """What the rounds of one side against itself say. Too few rounds or requests are never a plan."""
    routes = by_route(rounds, "client")
    numbers = sorted({number for of_route in routes.values() for number in of_route})
    routes.setdefault(OVER_ALL, {})
    judged = {route: endpoints_of(routes[route], numbers, _STRICTEST, gate) for route in sorted(routes)}
    found = {
        route: {name: of_pilot for name, e in endpoints.items() if (of_pilot := _of(name, e)) is not None}
        for route, endpoints in judged.items()
    }
    missing = [
        f"{route} {name}: {endpoint.reason}"
        for route, endpoints in judged.items()
        for name, endpoint in endpoints.items()
        if endpoint.ratio is None and (route == OVER_ALL or endpoint.verdict is not Verdict.NODATA)
    ]
    differing = [f"{r} {n}" for r, each in found.items() for n, one in each.items() if one.differs]
    needed = [one.rounds_needed for each in found.values() for one in each.values() if one.rounds_needed]
    if missing:
        return Pilot(Verdict.NODATA, tuple(missing), len(numbers), None, found)
    if len(numbers) < MIN_PILOT_ROUNDS:
        few = f"{len(numbers)} rounds, a pilot needs {MIN_PILOT_ROUNDS} to {MAX_PILOT_ROUNDS}"
        return Pilot(Verdict.INCONCLUSIVE, (few,), len(numbers), None, found)
    if differing:
        said = f"the side differs from itself in {', '.join(differing)}: mend what disturbs the rounds first"
        return Pilot(Verdict.FAIL, (said,), len(numbers), None, found)
    return Pilot(Verdict.PASS, (), len(numbers), max(needed), found)


def _of(name: str, endpoint: Endpoint) -> PilotEndpoint | None:
    ratio, lower, upper, sigma = endpoint.ratio, endpoint.lower, endpoint.upper, endpoint.sigma_d
    if ratio is None or lower is None or upper is None or sigma is None:
        return None
    same = 0.0 if name == ERRORS else 1.0
    differs = not lower <= same <= upper and abs(ratio - same) > 1e-12
    return PilotEndpoint(sigma, endpoint.rounds_needed, ratio, lower, upper, differs)
