"""Tally -> figures: what a run measured, whether it is valid, and what happened to every record.

- **response**: from the time a request was due to its last byte: what a customer waits. Gates use it.
- **service**: from its sending to its last byte: what the server takes.
- **lateness**: from due to the generator coming to it: the generator's own fault.
A request without an answer (time-out, reset, never sent) counts at the time-out value in response and
service, so that failing fast does not look fast.

A run is INVALID, neither pass nor fail, where lateness p99 > max(1 ms, 5 % of the SLO), the generator's
CPU > 80 %, or a request waited at the connection cap (backlog > 0); also where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.replay.records import Fault
from tasks.replay.routes import OVER_ALL
from tasks.replay.tally import Tally

MIN_LATENESS_LIMIT_MS = 1.0
LATENESS_SHARE_OF_SLO = 0.05
MAX_GENERATOR_CPU = 0.80


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
    sessions: dict[str, int] = field(default_factory=dict)  # empty: a run without
    tls_resumed: int = 0  # connections whose handshake was a resumption


def reasons_invalid(tally: Tally, course: Course) -> list[str]:
    """Why this run says nothing; empty for a valid one."""
    reasons = [f"stopped before its end: {course.stopped_because}"] if course.stopped_because else []
    late_ms = tally.lateness.percentile_us(99) / 1000
    limit_ms = max(MIN_LATENESS_LIMIT_MS, LATENESS_SHARE_OF_SLO * course.slo_ms)
    if late_ms > limit_ms:
        reasons.append(
            f"lateness p99 {late_ms:.2f} ms > {limit_ms:g} ms: the generator did not keep the schedule"
        )
    if course.cpu_share > MAX_GENERATOR_CPU:
        reasons.append(f"generator CPU {course.cpu_share:.0%} > {MAX_GENERATOR_CPU:.0%}: lower the rate")
    if course.backlog_max > 0:
        reasons.append(f"backlog of {course.backlog_max} requests at the connection cap: raise --connections")
    if not tally.faults[Fault.NONE]:
        reasons.append("no request was answered")
    return reasons


def result_of(
    tally: Tally, walked: int, skipped: int, course: Course, reasons: Sequence[str]
) -> dict[str, Any]:
    """The content of `result.json`; the formats are on the design page and in docs/formats.md."""
    unsent, done = tally.faults[Fault.UNSENT], tally.faults[Fault.NONE]
    errors = tally.faults.total() - unsent - done
    told = list(reasons)
    if done + errors + unsent + skipped != walked:
        told.append(f"{walked} records are not {done} + {errors} + {unsent} + {skipped}: some were lost")
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
        "response_ms": _figures(tally, "response"),
        "service_ms": _figures(tally, "service"),
        "server_ms": _figures(tally, "server") if tally.stated and tally.routes[OVER_ALL].server else None,
        "server_stated": tally.stated,
        "lateness_us": {"p50": tally.lateness.percentile_us(50), "p99": tally.lateness.percentile_us(99)},
        "first_byte_ms": tally.first_byte.figures_ms(),
        "connect_ms": tally.connect.figures_ms(),
        "tls_ms": tally.tls.figures_ms(),
        "backlog_max": course.backlog_max,
        "generator_cpu": round(course.cpu_share, 4),
        "valid": not told,
        "reasons": told,
        "requests": {name: m.requests for name, m in tally.routes.items()},
        "errors_by_route": {name: m.errors for name, m in tally.routes.items()},
        "faults": {kind.name.lower(): tally.faults[kind] for kind in Fault if kind and tally.faults[kind]},
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "status_differs_from_capture": tally.status_differs,
        "retried": tally.retried,
        "connections_opened": course.connections_opened,
        "unasked_answers": course.unasked,
        "seconds": round(course.seconds, 3),
        "requests_per_s": round(done / course.seconds, 1) if course.seconds > 0 else 0.0,
        "timeout_s": course.timeout_s,
        "interrupted": course.stopped_because == INTERRUPTED,
        "scheduling": course.scheduling,
        "tls": course.tls,
        "tls_resumed": course.tls_resumed,
        "connect_error": course.connect_error,
        "sessions": course.sessions,
    }


INTERRUPTED = "interrupted"


def _figures(tally: Tally, which: str) -> dict[str, Any]:
    routes = {name: getattr(m, which).figures_ms() for name, m in tally.routes.items()}
    return {**routes[OVER_ALL], "routes": routes}
