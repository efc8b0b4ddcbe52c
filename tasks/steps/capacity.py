"""Loads the target in steps, watches it meanwhile, and judges what rate it holds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from inventory.models.finding import Evidence
from inventory.models.site import Site
from tasks.checks.evidence import observed
from tasks.gates.capacity import Limits, Step, deciding, judge_capacity, outcome, required_rps
from tasks.gates.capacity_findings import capacity_figures, capacity_findings
from tasks.gates.capacity_steps import next_rate
from tasks.replay.capture import Capture
from tasks.replay.declared import capture_of, endpoint_at, options_of
from tasks.replay.plan import at_rate
from tasks.replay.run import RunResult, run
from tasks.replay.target_url import Endpoint
from tasks.steps.load_progress import tell
from tasks.steps.load_watch import SOURCE, LoadWatch
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace, current

WARM_UP_S = 2.0
# Reasons of an invalid run that speak of the target, not of the generator.
_OF_THE_TARGET = ("backlog of ", "no request was answered")


@task(name="judge capacity", cache_policy=NO_CACHE)
def judge_target(draft: Draft, *, dry_run: bool = False) -> None:
    """Find the knee of the target's edge and judge it. A dry run says what would be sent.

    Raises BadInput for the capture, HostUnreachable where the edge does not answer.
    """
    place = current()
    site, rules = place.site, place.site.capacity
    capture = capture_of(site.replay)
    peak = peak_rps(capture)
    required = required_rps(peak, rules)
    place.progress.say(f"captured peak {peak:.0f} requests/s; {required:.0f}/s must be held")
    if dry_run:
        most = rules.most_factor * peak
        draft.would(f"load {site.target.edge.url}, from {peak:.0f} to at most {most:.0f}/s")
        return
    limits = limits_of(site)
    url = site.target.edge.url
    endpoint = endpoint_at(site.replay, "target", url, (str(urlsplit(url).hostname),))
    steps: list[Step] = []
    watches: list[LoadWatch] = []
    _load(place, capture, endpoint, peak, min(WARM_UP_S, rules.step_s), "warm-up")
    while (rate := next_rate(steps, peak, rules, limits)) is not None:
        what = f"step-{len(steps) + 1:02d}"
        with LoadWatch(place.drivers.hosts(), place.drivers.target_kube(), site.workload) as watch:
            result = _load(place, capture, endpoint, rate, rules.step_s, what)
        steps.append(step_of(rate, result.result, watch))
        watches.append(watch)
        place.progress.say(f"{rate:.0f} requests/s: {outcome(steps[-1], limits).value}")
    verdict = judge_capacity(steps, peak, rules, limits)
    draft.figures["capacity"] = capacity_figures(verdict, steps, limits)
    decided = deciding(steps, required)
    nodes = watches[steps.index(decided)].nodes if decided is not None else {}
    raw = json.dumps(draft.figures["capacity"]["steps"])
    evidence: dict[str, tuple[Evidence, ...]] = {
        "": (observed(place.clock, f"safe-harbor capacity {site.name}", raw),)
    }
    for name, node in nodes.items():
        evidence[name] = (observed(place.clock, SOURCE, "\n".join(node.raw) or node.error),)
    draft.add(capacity_findings(verdict, steps, limits, evidence))


def peak_rps(capture: Capture) -> float:
    """The requests of the capture's busiest second."""
    second = np.floor(np.frombuffer(capture.at_s, dtype=np.float64)).astype(np.int64)
    return float(np.unique(second, return_counts=True)[1].max())


def limits_of(site: Site) -> Limits:
    """The limits of a step, from the site file."""
    return Limits(
        error_rate=site.latency.error_rate_margin,
        p99_ms=site.latency.ceiling_ms,
        conntrack=site.capacity.max_conntrack,
        steal=site.capacity.max_steal,
    )


def step_of(rate: float, result: dict[str, Any], watch: LoadWatch) -> Step:
    """A run's result.json and what was watched meanwhile."""
    return Step(
        rate_rps=rate,
        requests=result["requests"]["*"],
        errors=result["errors_by_route"]["*"],
        p99_ms=result["response_ms"]["p99"],
        queued=result["backlog_max"],
        generator=tuple(reason for reason in result["reasons"] if not reason.startswith(_OF_THE_TARGET)),
        nodes=watch.seen(),
        not_ready=watch.not_ready,
    )


def _load(
    place: Workplace, capture: Capture, endpoint: Endpoint, rate: float, seconds: float, what: str
) -> RunResult:
    """Raises KeyboardInterrupt where it was interrupted."""
    options = options_of(place.site.replay, "target", slo_ms=place.site.latency.ceiling_ms)
    folder: Path = place.state / "capacity" / what
    plan = at_rate(capture, rate, duration_s=seconds)

    said = partial(tell, place, f"{what}, {rate:.0f} requests/s")
    result = run(plan, endpoint, folder, options, on_progress=said)
    if result.interrupted:
        raise KeyboardInterrupt
    return result
