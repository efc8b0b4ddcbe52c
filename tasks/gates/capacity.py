"""The capacity gate: what rate the target holds, found by steps, and whether that is enough.

A step is a while of load at one rate, with what was seen of the nodes meanwhile. It **held** where no limit
was broken; where the generator could not keep its own schedule it says nothing of the target. The **knee** is
the highest rate that held below the lowest one that broke. The target must hold `factor` times the captured
peak.

Limits: conntrack below 60 % of its table, steal p95 below 2 %, nothing refused by connection tracking, every
pod and node ready, errors within the margin of the error rate, p99 below the latency gate's ceiling. What
could not be read is no data: it never lets a step pass the gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from inventory.models.site import Capacity
from inventory.models.verdict import Verdict


class Outcome(Enum):
    """What a step says of the target."""

    HELD = "held"
    BROKE = "broke"
    UNTOLD = "untold"  # the generator could not offer the rate


@dataclass(frozen=True)
class NodeSeen:
    """One node during a step; None is what could not be read."""

    node: str
    conntrack: float | None  # the highest share of the table, 0..1
    refused: int | None  # insert_failed + drop + early_drop, counted during the step
    steal_p95: float | None  # over windows of a second, 0..1


@dataclass(frozen=True)
class Step:
    """`errors` of `requests`: faults, answers of 500 and above, and what could not be sent in time.

    `queued` is how many requests waited at the connection cap: the target takes longer than they come.
    `not_ready` names pods and nodes that were seen not ready; None: they could not be asked.
    """

    rate_rps: float
    requests: int
    errors: int
    p99_ms: float
    queued: int
    generator: tuple[str, ...]  # why the generator says nothing; empty where it kept its schedule
    nodes: tuple[NodeSeen, ...]
    not_ready: tuple[str, ...] | None


@dataclass(frozen=True)
class Limits:
    """What a step must keep; shares are 0..1."""

    error_rate: float
    p99_ms: float
    conntrack: float
    steal: float


@dataclass(frozen=True)
class CapacityVerdict:
    """`knee_rps` is None where no step held; `knee_found` false: nothing broke up to it, so it lies above."""

    verdict: Verdict
    reasons: tuple[str, ...]
    peak_rps: float
    required_rps: float
    knee_rps: float | None
    knee_found: bool
    knee_broken: tuple[str, ...]  # what broke first beyond the knee


def broken(step: Step, limits: Limits) -> tuple[str, ...]:
    """The limits that the step broke, a sentence each."""
    found: list[str] = []
    if step.requests and step.errors / step.requests > limits.error_rate:
        found.append(f"{step.errors} errors of {step.requests} requests")
    if step.p99_ms >= limits.p99_ms:
        found.append(f"p99 {step.p99_ms:.0f} ms, limit {limits.p99_ms:.0f} ms")
    if step.queued:
        found.append(f"{step.queued} requests waited for a connection")
    for seen in step.nodes:
        if seen.conntrack is not None and seen.conntrack >= limits.conntrack:
            found.append(f"{seen.node}: conntrack {seen.conntrack:.0%}, limit {limits.conntrack:.0%}")
        if seen.refused:
            found.append(f"{seen.node}: connection tracking refused {seen.refused}")
        if seen.steal_p95 is not None and seen.steal_p95 >= limits.steal:
            found.append(f"{seen.node}: steal p95 {seen.steal_p95:.1%}, limit {limits.steal:.0%}")
    found += [f"{name} was not ready" for name in step.not_ready or ()]
    return tuple(found)


def unseen(step: Step) -> tuple[str, ...]:
    """The readings that could not be had."""
    found = [
        f"{seen.node}: no {what}"
        for seen in step.nodes
        for what, value in (
            ("conntrack", seen.conntrack),
            ("conntrack counters", seen.refused),
            ("steal", seen.steal_p95),
        )
        if value is None
    ]
    if not step.nodes:
        found.append("no node was observed")
    if step.not_ready is None:
        found.append("readiness could not be asked")
    if not step.requests:
        found.append("no request was sent")
    return tuple(found)


def outcome(step: Step, limits: Limits) -> Outcome:
    """What broke counts, whoever was at fault; then whether the generator did its part."""
    if step.generator:
        # Late requests look slow and wait for connections: then only what the nodes say can be believed.
        nodes = Step(step.rate_rps, 0, 0, 0.0, 0, (), step.nodes, step.not_ready)
        return Outcome.BROKE if broken(nodes, limits) else Outcome.UNTOLD
    return Outcome.BROKE if broken(step, limits) else Outcome.HELD


def required_rps(peak_rps: float, capacity: Capacity) -> float:
    """The rate that the target must hold, in requests/s."""
    return capacity.factor * peak_rps


def deciding(steps: Sequence[Step], required: float) -> Step | None:
    """The step to look at first: the lowest of at least the required rate, or the highest there is."""
    enough = [step for step in steps if step.rate_rps >= required]
    by_rate = sorted(enough or steps, key=lambda step: step.rate_rps)
    return None if not by_rate else by_rate[0] if enough else by_rate[-1]


def judge_capacity(
    steps: Sequence[Step], peak_rps: float, capacity: Capacity, limits: Limits
) -> CapacityVerdict:
    """Pass where a step of at least the required rate held and was wholly observed."""
    required = required_rps(peak_rps, capacity)
    by_rate = sorted(steps, key=lambda step: step.rate_rps)
    broke = [step for step in by_rate if outcome(step, limits) is Outcome.BROKE]
    below = broke[0].rate_rps if broke else float("inf")
    held = [s for s in by_rate if s.rate_rps < below and outcome(s, limits) is Outcome.HELD]
    knee = held[-1].rate_rps if held else None
    enough = [step for step in held if step.rate_rps >= required]
    seen = [step for step in enough if not unseen(step)]
    if below <= required:
        verdict = Verdict.FAIL
        reasons = tuple(f"at {below:.0f}/s: {what}" for what in broken(broke[0], limits))
    elif seen:
        verdict, reasons = Verdict.PASS, ()
    elif enough:
        verdict, reasons = Verdict.NODATA, unseen(enough[0])
    else:
        untold = [step for step in by_rate if outcome(step, limits) is Outcome.UNTOLD]
        said = [f"at {step.rate_rps:.0f}/s: {what}" for step in untold for what in step.generator]
        verdict = Verdict.INCONCLUSIVE if steps else Verdict.NODATA
        reasons = tuple(said or [f"no step reached {required:.0f}/s"])
    first = broken(broke[0], limits) if broke else ()
    return CapacityVerdict(verdict, reasons, peak_rps, required, knee, bool(broke), first)
