"""What a site file says of its replay, as the replay takes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inventory.models.replay import Reached, Replay
from tasks.replay.capture import Capture, read_capture
from tasks.replay.plan import Plan, as_captured, at_rate, poisson, ramp
from tasks.replay.run import Options
from tasks.replay.selection import Selection
from tasks.replay.target_url import Endpoint, endpoint_of


def selection_of(replay: Replay) -> Selection:
    """What of the capture is replayed; secrets and personal data never are."""
    chosen = replay.select
    return Selection(
        hosts=chosen.hosts,
        only=chosen.only,
        without=chosen.without,
        rewrites=chosen.rewrites,
        unsafe=chosen.unsafe,
        sessions=replay.sessions,
    )


def capture_of(replay: Replay) -> Capture:
    """The site's capture. Raises BadInput."""
    return read_capture(replay.capture, replay.max_bad, selection_of(replay))


def reached(replay: Replay, side: str) -> Reached:
    """How the `source` or the `target` is connected to."""
    return replay.source if side == "source" else replay.target


def ca_file_of(replay: Replay, side: str) -> str:
    """The authorities that this side's certificate is verified against; empty: the system's."""
    return str(reached(replay, side).ca_file or "")


def endpoint_at(replay: Replay, side: str, url: str, allow: Sequence[str]) -> Endpoint:
    """A side's edge. `allow` has the hosts that the site file names, and `connect_to` names one more.

    Raises BadInput for what may not be loaded, HostUnreachable for a name without an address.
    """
    way = reached(replay, side)
    named = [*allow, way.connect_host] if way.connect_host else allow
    return endpoint_of(url, named, way.connect_to)


def options_of(replay: Replay, side: str, *, slo_ms: float, allow: Sequence[str] = ()) -> Options:
    """How a run against this side is made."""
    return Options(
        http=replay.http,
        connections=replay.connections,
        slo_ms=slo_ms,
        allow=tuple(allow),
        ca_file=ca_file_of(replay, side),
        source_addresses=replay.source_addresses,
        processes=replay.processes,
    )


def mean_rate_rps(replay: Replay, capture: Capture) -> float:
    """Requests per second over the rounds, whatever their timing."""
    timing = replay.timing
    if timing.kind == "original":
        at_s = np.frombuffer(capture.at_s, dtype=np.float64)
        span_s = float(at_s[-1])
        return (len(at_s) - 1) / span_s * (timing.speed or 1.0) if span_s > 0 else replay.rate_rps
    if timing.kind == "ramp" and timing.from_rps and timing.to_rps:
        return (timing.from_rps + timing.to_rps) / 2
    return replay.rate_rps


def round_of(replay: Replay, capture: Capture, number: int) -> Plan:
    """The plan of a round, from 0: the capture's next piece, begun anew at its end. Raises BadInput."""
    timing, requests = replay.timing, replay.requests_per_round
    start = number * requests % len(capture)
    if timing.kind == "original":
        return as_captured(capture, timing.speed or 1.0, requests=requests, start=start)
    if timing.kind == "poisson":
        return poisson(capture, replay.rate_rps, replay.seed + number, requests=requests, start=start)
    if timing.kind == "ramp" and timing.from_rps and timing.to_rps:
        return ramp(capture, timing.from_rps, timing.to_rps, requests=requests, start=start)
    return at_rate(capture, replay.rate_rps, requests=requests, start=start)
