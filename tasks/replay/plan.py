"""A capture becomes a schedule: when each request is due, and which one it is. All of it before the run."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from inventory.errors import BadInput
from tasks.replay.capture import Capture, Target
from tasks.replay.columns import column

MAX_REQUESTS = 20_000_000  # a run holds about 60 bytes a request
MAX_PAUSE_S = (
    3600.0  # between two requests; nobody waits longer for a load, and a clock jumps by days or years
)


@dataclass(frozen=True)
class Plan:
    """`due_s` seconds after the start, rising; `target` and `expected_status` have one item a request.

    `records` counts the capture's lines that were walked: those that are sent, and `skipped`. `client` is the
    number of each request's client; empty: a run without sessions.
    """

    targets: tuple[Target, ...]
    due_s: array[float]
    target: array[int]
    expected_status: array[int]
    records: int
    skipped: int
    pace: str  # for people: `500 requests/s` or `2.0 x the capture's own timing`
    client: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.due_s)

    def planned_by_route(self) -> dict[str, int]:
        """How many requests of each route are due."""
        counts = np.bincount(np.frombuffer(self.target, dtype=np.uint32), minlength=len(self.targets))
        routes: dict[str, int] = {}
        for target, count in zip(self.targets, counts.tolist(), strict=True):
            if count:
                routes[target.route] = routes.get(target.route, 0) + count
        return routes


def at_rate(
    capture: Capture,
    rate_rps: float,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    start: int = 0,
) -> Plan:
    """A fixed rate; the capture is walked in order from line `start`, from its beginning again at its end.

    Exactly one of `requests` and `duration_s` may be given; with none the capture is walked once.
    Raises BadInput.
    """
    _rate(rate_rps)
    if requests is not None and duration_s is not None:
        raise BadInput("give the number of requests or the duration, not both")
    if duration_s is not None:
        _positive("duration", duration_s)
        requests = max(1, round(min(duration_s * rate_rps, MAX_REQUESTS + 1.0)))
    count = _allowed(len(capture) if requests is None else requests)
    due = np.arange(count, dtype=np.float64)
    due /= rate_rps
    skipped = _skipped(capture, start, count)
    return _plan(capture, due, _walked(capture, start, count), skipped, f"{rate_rps:g} requests/s")


def poisson(
    capture: Capture,
    rate_rps: float,
    seed: int,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    start: int = 0,
) -> Plan:
    """Arrivals of a Poisson process, as of many customers who do not know of each other.

    The capture is walked in order from line `start`. The number of arrivals in `duration_s` is random too;
    without a duration there are `requests`, or the capture is walked once.

    Raises BadInput.
    """
    _rate(rate_rps)
    if requests is not None and duration_s is not None:
        raise BadInput("give the number of requests or the duration, not both")
    if seed < 0:
        raise BadInput(f"the seed {seed} is below 0")
    dice = np.random.default_rng(seed)
    if duration_s is None:
        count = _allowed(len(capture) if requests is None else requests)
        due = np.cumsum(dice.exponential(1 / rate_rps, count))
    else:
        _positive("duration", duration_s)
        # Given their number, the arrivals of a Poisson process are independent and uniform.
        count = _allowed(int(dice.poisson(min(duration_s * rate_rps, MAX_REQUESTS * 2.0))))
        due = np.sort(dice.uniform(0, duration_s, count))
    picked = _walked(capture, start, len(due))
    pace = f"Poisson arrivals, {rate_rps:g} requests/s, seed {seed}"
    return _plan(capture, due, picked, _skipped(capture, start, len(due)), pace)


def ramp(
    capture: Capture,
    from_rps: float,
    to_rps: float,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    start: int = 0,
) -> Plan:
    """A rate that changes evenly from one to the other, over `duration_s` or over `requests`; the capture is
    walked in order from line `start`. Raises BadInput.

    After t seconds `from_rps * t + (to_rps - from_rps) / (2 * duration_s) * t^2` requests are due; the k-th
    is due where that is k.
    """
    _rate(from_rps)
    _rate(to_rps)
    if (requests is None) == (duration_s is None):
        raise BadInput("give the number of requests or the duration of a ramp")
    mean_rps = (from_rps + to_rps) / 2
    if duration_s is None:
        duration_s = (requests or 0) / mean_rps
    _positive("duration", duration_s)
    count = _allowed(round(min(mean_rps * duration_s, MAX_REQUESTS + 1.0)))
    k, slope = np.arange(count, dtype=np.float64), (to_rps - from_rps) / duration_s
    # The root in the form that does not divide by a slope of 0, nor cancel near it.
    due = 2 * k / (from_rps + np.sqrt(np.maximum(from_rps**2 + 2 * slope * k, 0.0)))
    picked = _walked(capture, start, count)
    pace = f"from {from_rps:g} to {to_rps:g} requests/s in {duration_s:g} s"
    return _plan(capture, due, picked, _skipped(capture, start, count), pace)


def as_captured(
    capture: Capture,
    speed: float = 1.0,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    start: int = 0,
) -> Plan:
    """The capture's own timing, `speed` times as fast, once; cut off after `duration_s`.

    With `requests` so many from line `start` on, the first at once. After the capture's end comes its
    beginning, one mean pause later.

    Raises BadInput, also for a pause above an hour: the clock that wrote the capture has jumped.
    """
    _positive("speed", speed)
    if not capture.timed:
        raise BadInput(f"the format {capture.form} has no times; give a rate", capture.file)
    at_s = np.frombuffer(capture.at_s, dtype=np.float64)
    walked = _allowed(len(capture) if requests is None else requests)
    around, picked = np.divmod(_lines(capture, start, walked), np.uint32(len(capture)))
    period_s = at_s[-1] + (at_s[-1] / (len(at_s) - 1) if len(at_s) > 1 else 1.0)
    due = (at_s[picked] + around * period_s) / speed
    due -= due[0]
    if duration_s is not None:
        _positive("duration", duration_s)
        due = due[due < duration_s]
    pauses = np.diff(due)
    if (pauses > MAX_PAUSE_S).any():
        first = int(np.argmax(pauses > MAX_PAUSE_S))
        raise BadInput(
            f"{due[first]:g} s after its begin nothing is due for {pauses[first]:g} s; "
            f"has the clock jumped? Allowed: {MAX_PAUSE_S:g} s; give --rate, or a --duration before it",
            capture.file,
        )
    count = _allowed(len(due))
    skipped = _skipped(capture, start, count)
    return _plan(capture, due, picked[:count], skipped, f"{speed:g} x the capture's own timing")


def _plan(capture: Capture, due: np.ndarray, picked: np.ndarray, skipped: int, pace: str) -> Plan:
    target, expected_status, client = (
        _picked("I", capture.target, picked),
        _picked("H", capture.status, picked),
        _picked("I", capture.client, picked),
    )
    records = len(picked) + skipped
    del picked  # before the longest column is made: of ten million requests, 40 MB
    return Plan(
        targets=capture.targets,
        due_s=column("d", due),
        target=target,
        expected_status=expected_status,
        records=records,
        skipped=skipped,
        pace=pace,
        client=client,
    )


def _picked(code: str, values: array[int], lines: np.ndarray) -> array[int]:
    return column(code, np.frombuffer(values, dtype=code)[lines]) if values else array(code)


def _lines(capture: Capture, start: int, count: int) -> np.ndarray:
    """The numbers of the lines that are walked, 4 bytes each; after the capture's last one they go on."""
    first = start % len(capture)
    return np.arange(first, first + count, dtype=np.uint32)


def _walked(capture: Capture, start: int, count: int) -> np.ndarray:
    """The lines that are walked from `start` on; after the last one comes the first."""
    lines = _lines(capture, start, count)
    lines %= np.uint32(len(capture))
    return lines


def _skipped(capture: Capture, start: int, count: int) -> int:
    """Lines that cannot be replayed between the first and the last request that is walked."""

    def up_to(line: int) -> int:
        rounds, rest = divmod(line, len(capture))
        return rounds * capture.skipped + (capture.skipped_before[rest] if rest else 0)

    return up_to(start + count) - up_to(start)


def _allowed(requests: int) -> int:
    if not 1 <= requests <= MAX_REQUESTS:
        raise BadInput(f"{requests} requests; allowed: 1 to {MAX_REQUESTS}")
    return requests


def _rate(rate_rps: float) -> None:
    if not rate_rps > 0 or not np.isfinite(rate_rps):
        raise BadInput(f"the rate {rate_rps} is not above 0 requests/s")


def _positive(what: str, value: float) -> None:
    if not (value > 0 and np.isfinite(value)):
        raise BadInput(f"the {what} {value} is not above 0")
