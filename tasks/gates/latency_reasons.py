"""What of a latency judgement blocks, why, and how many more rounds it wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.models.verdict import Verdict
from tasks.gates.endpoint import Endpoint
from tasks.gates.looks import MIN_ROUNDS

OVER_ALL = "*"

Judged = Mapping[str, Mapping[str, Mapping[str, Endpoint]]]  # vantage -> route -> p50|p95|p99|errors


def blocking(judged: Judged) -> Iterator[tuple[str, Endpoint]]:
    """The endpoints that count, with their names: all but a rare route's `nodata`, which `*` covers."""
    for vantage, routes in judged.items():
        for route, endpoints in routes.items():
            for name, endpoint in endpoints.items():
                if route == OVER_ALL or endpoint.verdict is not Verdict.NODATA:
                    yield f"{'server ' if vantage == 'server' else ''}{route} {name}", endpoint


def wanted_of(judged: Judged, planned: int, run: int) -> int | None:
    """How many rounds more than were run an inconclusive judgement wants; None: more will not make it pass.

    While planned rounds are still to come these are what it wants; afterwards what the endpoint wants that
    wants most.
    """
    planned = max(planned, MIN_ROUNDS)
    if run < planned:
        return planned - run
    undecided = [e for _, e in blocking(judged) if e.verdict is Verdict.INCONCLUSIVE and e.ratio is not None]
    wanted = [endpoint.rounds_wanted for endpoint in undecided]
    if any(each is None for each in wanted):
        return None
    return max([each for each in wanted if each is not None] + [planned + 1]) - run if wanted else None


def reasons_of(
    judged: Judged, verdict: Verdict, *, planned: int, run: int, more: int | None
) -> tuple[str, ...]:
    """Why it is not a pass, a sentence each; empty for a pass."""
    if verdict is Verdict.PASS:
        return ()
    reasons = [
        f"{name}: {endpoint.verdict.value}, {endpoint.reason}"
        for name, endpoint in blocking(judged)
        if endpoint.verdict is not Verdict.PASS
        and (verdict is not Verdict.FAIL or endpoint.verdict is Verdict.FAIL)
    ]
    if verdict is Verdict.FAIL:
        return tuple(reasons)
    if planned < MIN_ROUNDS:
        reasons.append(f"{planned} rounds were planned, a pass needs at least {MIN_ROUNDS}")
    elif run < planned:
        reasons.append(f"{run} rounds were run of {planned}")
    if verdict is Verdict.INCONCLUSIVE and run >= planned >= MIN_ROUNDS:
        reasons.append(_wants(judged, run, more))
    return tuple(reasons)


def _wants(judged: Judged, run: int, more: int | None) -> str:
    if more is not None:
        # A finished campaign is not extended: each look beyond the three would pass more by luck.
        return f"wants {more} rounds more: plan {run + more} and replay anew from round 1"
    undecided = [(name, e) for name, e in blocking(judged) if e.verdict is Verdict.INCONCLUSIVE]
    beyond = [name for name, e in undecided if e.ratio is not None and e.rounds_wanted is None]
    if beyond:
        named = ", ".join(beyond)
        return f"more rounds would not make it pass: the mean of {named} lies on its limit or above it"
    return "rounds are missing, not too few: repair what made them invalid and replay anew"
