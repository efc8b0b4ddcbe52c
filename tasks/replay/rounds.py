"""Rounds: the same requests against source and target, one after the other, in an order drawn at random.

A comparison of before and after confounds the sides with the time; pairs of runs that are neighbours in time
do not. Each round replays the next piece of the capture, the same piece on both sides. An invalid run is
discarded and repeated, at most `ATTEMPTS` times, and told in `discarded`; a round that never becomes valid
is missing, and the gate says inconclusive.

Before the first round each side answers `WARM_UP` requests that nobody judges: caches, connections and a
database that has just been copied are cold once, and a round that pays for it would widen every bound.

Routes with fewer than `MIN_PER_ROUTE` requests in a round are pooled into `other`, as the gate cannot judge
them one by one; all requests count in `*`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from inventory.models.replay import Replay
from tasks.replay.bodies import Answers
from tasks.replay.capture import Capture
from tasks.replay.declared import (
    ca_file_of,
    capture_of,
    endpoint_at,
    mean_rate_rps,
    options_of,
    round_of,
)
from tasks.replay.glance import Glance, Progress
from tasks.replay.histogram import Histogram
from tasks.replay.plan import Plan, at_rate
from tasks.replay.routes import OTHER, OVER_ALL
from tasks.replay.run import Options, RunResult, run
from tasks.replay.tally import by_route
from tasks.replay.target_url import Endpoint

ATTEMPTS = 5  # a void run says that the generator was disturbed, nothing of the sides
MIN_PER_ROUTE = 1_000  # what p50 and p95 of a round need
WARM_UP = 1_000
SIDES = ("source", "target")


class Runner(Protocol):
    """How a run is made; `tasks.replay.run.run`, or something of its shape."""

    def __call__(
        self, plan: Plan, endpoint: Endpoint, out_dir: Path, options: Options, *, on_progress: Progress
    ) -> RunResult:
        """Makes one run."""


def _silent(number: int, side: str, glance: Glance) -> None:
    del number, side, glance


@dataclass(frozen=True)
class RoundFigures:
    """One route of one run: an item of the rounds file."""

    round: int  # from 1
    side: str
    route: str
    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    vantage: str = "client"  # or `server`: what the servers stated in their answers


@dataclass(frozen=True)
class Discarded:
    """A run that said nothing."""

    round: int
    side: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A finished round: its figures of both sides; empty where a side never became valid."""

    number: int
    order: tuple[str, ...]
    figures: tuple[RoundFigures, ...]
    discarded: tuple[Discarded, ...]


@dataclass
class Campaign:
    """All rounds of a comparison, and what they add up to so far.

    `endpoints` has `source` and `target`; `requests` a run, at `rate_rps`, `planned` rounds. `plan_of` gives
    the plan of a round, from 0, where it is not the fixed rate; `ca_files` by side, else the options' one.
    `on_progress(round, side, glance)` is called twice a second, for the warm-up with round 0; what it raises
    ends the run at once, KeyboardInterrupt from another thread's wish included.
    """

    capture: Capture
    endpoints: dict[str, Endpoint]
    out_dir: Path
    rate_rps: float
    requests: int
    planned: int
    seed: int
    options: Options = field(default_factory=Options)
    runner: Runner = run
    plan_of: Callable[[int], Plan] | None = None
    ca_files: dict[str, str] = field(default_factory=dict)
    on_progress: Callable[[int, str, Glance], None] = _silent
    pairs: list[Pair] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    response: dict[str, dict[str, Histogram]] = field(default_factory=lambda: {side: {} for side in SIDES})
    service: dict[str, dict[str, Histogram]] = field(default_factory=lambda: {side: {} for side in SIDES})
    server: dict[str, dict[str, Histogram]] = field(default_factory=lambda: {side: {} for side in SIDES})
    readings: list[dict[str, Any]] = field(default_factory=list)  # one a run whose runner took them
    kept: dict[str, list[Path]] = field(default_factory=lambda: {side: [] for side in SIDES})  # valid runs

    def run_pairs(self) -> Iterator[Pair]:
        """Runs round after round; stop taking them when the gate has decided.

        Raises KeyboardInterrupt where a run was interrupted, and what `run` raises.
        """
        self._warm_up()
        dice = random.Random(self.seed)  # noqa: S311 - an order for statistics, not a secret
        plans = [self._plan(number) for number in range(self.planned)]
        kept = _kept_routes(plans)
        for number, plan in enumerate(plans, start=1):
            order = tuple(dice.sample(SIDES, 2))
            pair = self._pair(number, order, _pooled(plan, kept))
            self.pairs.append(pair)
            yield pair

    def rounds_file(self) -> dict[str, Any]:
        """The content of the file that `judge latency` takes; formats in docs/formats.md."""
        return {
            "schema": "safe-harbor/rounds/v1",
            "planned_rounds": self.planned,
            "seed": self.seed,
            "rate_rps": self.rate_rps,
            "requests_per_round": self.requests,
            "warm_up_requests": min(WARM_UP, self.requests),
            "order": [list(pair.order) for pair in self.pairs],
            "discarded": [item.__dict__ for pair in self.pairs for item in pair.discarded],
            "rounds": [item.__dict__ for pair in self.pairs for item in pair.figures],
            "readings": self.readings,
        }

    def summary(self) -> dict[str, Any]:
        """For the report: `curves_ms[side][route]` as (percentile, ms), `figures_ms`, compared `bodies`."""
        return {
            "rounds_run": len(self.pairs),
            "runs_discarded": sum(len(pair.discarded) for pair in self.pairs),
            "curves_ms": {
                s: {r: h.curve_ms() for r, h in routes.items()} for s, routes in self.response.items()
            },
            "figures_ms": {
                s: {r: h.figures_ms() for r, h in routes.items()} for s, routes in self.response.items()
            },
            "service_ms": {
                s: {r: h.figures_ms() for r, h in routes.items()} for s, routes in self.service.items()
            },
            "server_ms": {
                s: {r: h.figures_ms() for r, h in routes.items()} for s, routes in self.server.items()
            },
            "bodies": self.answers.compared(),
        }

    def _warm_up(self) -> None:
        plan = at_rate(self.capture, self.rate_rps, requests=min(WARM_UP, self.requests), start=0)
        for side in SIDES:
            tell = partial(self.on_progress, 0, side)
            folder = self.out_dir / f"warm-up-{side}"
            options = self._options(side)
            if self.runner(plan, self.endpoints[side], folder, options, on_progress=tell).interrupted:
                raise KeyboardInterrupt

    def _options(self, side: str) -> Options:
        return replace(self.options, ca_file=self.ca_files.get(side, self.options.ca_file))

    def _plan(self, number: int) -> Plan:
        if self.plan_of is not None:
            return self.plan_of(number)
        start = number * self.requests % len(self.capture)
        return at_rate(self.capture, self.rate_rps, requests=self.requests, start=start)

    def _pair(self, number: int, order: tuple[str, ...], plan: Plan) -> Pair:
        discarded: list[Discarded] = []
        runs: dict[str, RunResult] = {}
        folders: dict[str, Path] = {}
        for side in order:
            for attempt in range(1, ATTEMPTS + 1):
                folder = self.out_dir / f"round-{number:02d}-{side}-{attempt}"
                tell = partial(self.on_progress, number, side)
                options = self._options(side)
                result = self.runner(plan, self.endpoints[side], folder, options, on_progress=tell)
                if result.interrupted:
                    raise KeyboardInterrupt
                if machines := result.result.get("machines"):
                    told = {"round": number, "side": side, "attempt": attempt, "valid": result.valid}
                    self.readings.append(told | {"machines": machines})
                if result.valid:
                    runs[side], folders[side] = result, folder
                    break
                discarded.append(Discarded(number, side, tuple(result.result["reasons"])))
            else:
                return Pair(number, order, (), tuple(discarded))
        figures: list[RoundFigures] = []
        for side in SIDES:
            figures.extend(self._taken_in(number, side, runs[side]))
            self.kept[side].append(folders[side])
        return Pair(number, order, tuple(figures), tuple(discarded))

    def _taken_in(self, number: int, side: str, result: RunResult) -> Iterator[RoundFigures]:
        self.answers.add(side, result.targets, result.records)
        measured = by_route(result.records, result.targets, self.options.timeout_s)
        told = self.options.server_timing and measured[OVER_ALL].server is not None
        for name, mine in measured.items():
            kept = [(self.response, mine.response), (self.service, mine.service)]
            seen = {"client": mine.response}
            if told and mine.server is not None:
                kept.append((self.server, mine.server))
                seen["server"] = mine.server
            for histograms, new in kept:
                before = histograms[side].get(name)
                histograms[side][name] = before + new if before else new
            for vantage, histogram in seen.items():
                p50, p95, p99 = (histogram.percentile_us(p) / 1000 for p in (50, 95, 99))
                yield RoundFigures(number, side, name, mine.requests, mine.errors, p50, p95, p99, vantage)


def campaign_of(
    replay: Replay,
    urls: dict[str, str],
    out_dir: Path,
    *,
    allow: Sequence[str] = (),
    slo_ms: float = 0.0,
    pilot: bool = False,
) -> Campaign:
    """The rounds that a site declares; `urls` has `source` and `target`, `allow` the addresses it names. In a
    `pilot` both are the source.

    Raises BadInput for the capture or a target, HostUnreachable for a name without an address.
    """
    reached_as = {side: "source" if pilot else side for side in SIDES}
    capture = capture_of(replay)
    return Campaign(
        capture=capture,
        endpoints={side: endpoint_at(replay, reached_as[side], urls[side], allow) for side in SIDES},
        out_dir=out_dir,
        rate_rps=mean_rate_rps(replay, capture),
        requests=replay.requests_per_round,
        planned=replay.rounds,
        seed=replay.seed,
        options=replace(
            options_of(replay, "source", slo_ms=slo_ms, allow=allow), server_timing=replay.server_timing
        ),
        plan_of=partial(round_of, replay, capture),
        ca_files={side: ca_file_of(replay, reached_as[side]) for side in SIDES},
    )


def _kept_routes(plans: list[Plan]) -> set[str]:
    """The routes that have enough requests in every round."""
    counts = [plan.planned_by_route() for plan in plans]
    return {route for route in counts[0] if all(c.get(route, 0) >= MIN_PER_ROUTE for c in counts)} - {
        OVER_ALL
    }


def _pooled(plan: Plan, kept: set[str]) -> Plan:
    targets = tuple(t if t.route in kept else replace(t, route=OTHER) for t in plan.targets)
    return replace(plan, targets=targets)
