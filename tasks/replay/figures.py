"""Records -> figures: what a run measured, whether it is valid, and what happened to every record.

- **response**: from the time a request was due to its last byte: what a customer waits. Gates use it.
- **service**: from its sending to its last byte: what the server takes.
- **lateness**: from due to the generator coming to it: the generator's own fault.
A request without an answer (time-out, reset, never sent) counts at the time-out value in response and
service, so that failing fast does not look fast.

A run is INVALID, neither pass nor fail, where lateness p99 > max(1 ms, 5 % of the SLO), the generator's
CPU > 80 %, or a request waited at the connection cap (backlog > 0); also where it was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.replay.capture import Target
from tasks.replay.histogram import Histogram
from tasks.replay.records import Fault, Records
from tasks.replay.routes import OVER_ALL

MIN_LATENESS_LIMIT_MS = 1.0
LATENESS_SHARE_OF_SLO = 0.05
MAX_GENERATOR_CPU = 0.80
SERVER_ERROR = 500  # a complete answer from here on is done, and an error of the shop


@dataclass(frozen=True)
class Course:
    """What the generator says about the run itself."""

    seconds: float
    cpu_share: float
    backlog_max: int
    connections_opened: int
    unasked: int
    stopped_because: str
    timeout_s: float
    slo_ms: float
    scheduling: str
    tls: str
    connect_error: str  # the last one


@dataclass(frozen=True)
class Measured:
    """Histograms of one route, and its counts. `errors` are faults and answers of 500 and above."""

    route: str
    requests: int
    errors: int
    response: Histogram
    service: Histogram


def by_route(records: Records, targets: tuple[Target, ...], timeout_s: float) -> dict[str, Measured]:
    """Per route, and `*` over all."""
    failed = records.fault != Fault.NONE
    response_s = np.where(failed, timeout_s, records.done_s - records.due_s)
    service_s = np.where(failed, timeout_s, records.done_s - records.sent_s)
    errors = failed | (records.status >= SERVER_ERROR)
    names = sorted({target.route for target in targets})
    number = {name: n for n, name in enumerate(names)}
    route = np.array([number[target.route] for target in targets])[records.target]
    measured = {}
    for name in (OVER_ALL, *names):
        mine = np.ones(len(route), dtype=bool) if name == OVER_ALL else route == number[name]
        if mine.any():
            measured[name] = Measured(
                name,
                int(mine.sum()),
                int(errors[mine].sum()),
                Histogram.of(response_s[mine]),
                Histogram.of(service_s[mine]),
            )
    return measured


def reasons_invalid(records: Records, course: Course) -> list[str]:
    """Why this run says nothing; empty for a valid one."""
    reasons = [f"stopped before its end: {course.stopped_because}"] if course.stopped_because else []
    late_ms = _lateness(records).percentile_us(99) / 1000
    limit_ms = max(MIN_LATENESS_LIMIT_MS, LATENESS_SHARE_OF_SLO * course.slo_ms)
    if late_ms > limit_ms:
        reasons.append(
            f"lateness p99 {late_ms:.2f} ms > {limit_ms:g} ms: the generator did not keep the schedule"
        )
    if course.cpu_share > MAX_GENERATOR_CPU:
        reasons.append(f"generator CPU {course.cpu_share:.0%} > {MAX_GENERATOR_CPU:.0%}: lower the rate")
    if course.backlog_max > 0:
        reasons.append(f"backlog of {course.backlog_max} requests at the connection cap: raise --connections")
    if not (records.done_s > 0).any():
        reasons.append("no request was answered")
    return reasons


def result_of(
    records: Records, targets: tuple[Target, ...], walked: int, skipped: int, course: Course
) -> dict[str, Any]:
    """The content of `result.json`; the formats are on the design page and in docs/formats.md."""
    fault = records.fault
    unsent = int((fault == Fault.UNSENT).sum())
    errors = int((fault != Fault.NONE).sum()) - unsent
    done = int((fault == Fault.NONE).sum())
    measured = by_route(records, targets, course.timeout_s)
    lateness = _lateness(records)
    reasons = reasons_invalid(records, course)
    if done + errors + unsent + skipped != walked:
        reasons.append(f"{walked} records are not {done} + {errors} + {unsent} + {skipped}: some were lost")
    told = records.expected_status > 0  # not every capture has it
    answered = (fault == Fault.NONE) & ~np.isnan(records.first_byte_s)
    connect = (records.fresh == 1) & ~np.isnan(records.sent_s)
    return {
        "schema": "safe-harbor/replay-result/v1",
        "records": walked,
        "done": done,
        "errors": errors,
        "unsent": unsent,
        "skipped": skipped,
        "reconciliation": (
            f"{walked} records = {done} done + {errors} errors + {skipped} skipped + {unsent} unsent"
        ),
        "response_ms": _figures(measured, "response"),
        "service_ms": _figures(measured, "service"),
        "lateness_us": {"p50": lateness.percentile_us(50), "p99": lateness.percentile_us(99)},
        "first_byte_ms": Histogram.of((records.first_byte_s - records.sent_s)[answered]).figures_ms(),
        "connect_ms": Histogram.of((records.sent_s - records.fired_s)[connect]).figures_ms(),
        "backlog_max": course.backlog_max,
        "generator_cpu": round(course.cpu_share, 4),
        "valid": not reasons,
        "reasons": reasons,
        "requests": {name: m.requests for name, m in measured.items()},
        "errors_by_route": {name: m.errors for name, m in measured.items()},
        "faults": {
            kind.name.lower(): int((fault == kind).sum()) for kind in Fault if kind and (fault == kind).any()
        },
        "statuses": _statuses(records.status[fault == Fault.NONE]),
        "status_differs_from_capture": int(
            (told & (records.status != records.expected_status) & (fault == Fault.NONE)).sum()
        ),
        "retried": int(records.retried.sum()),
        "connections_opened": course.connections_opened,
        "unasked_answers": course.unasked,
        "seconds": round(course.seconds, 3),
        "requests_per_s": round(done / course.seconds, 1) if course.seconds > 0 else 0.0,
        "timeout_s": course.timeout_s,
        "interrupted": course.stopped_because == INTERRUPTED,
        "scheduling": course.scheduling,
        "tls": course.tls,
        "connect_error": course.connect_error,
    }


INTERRUPTED = "interrupted"


def _lateness(records: Records) -> Histogram:
    late_s = records.fired_s - records.due_s
    return Histogram.of(late_s[~np.isnan(late_s)])


def _figures(measured: dict[str, Measured], which: str) -> dict[str, Any]:
    routes = {name: getattr(m, which).figures_ms() for name, m in measured.items()}
    return {**routes[OVER_ALL], "routes": routes}


def _statuses(status: NDArray[np.uint16]) -> dict[str, int]:
    values, counts = np.unique(status, return_counts=True)
    return {str(value): count for value, count in zip(values.tolist(), counts.tolist(), strict=True)}
