"""A look at a run while it goes on: what a person wants to see twice a second.

Not a measurement: the figures of a run are made of all its records, afterwards (`tasks.replay.figures`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tasks.replay.open_loop import OpenLoop

MOST = 5_000  # requests that one look goes through: about 0.1 ms, in which nothing is fired

_clock = time.monotonic


@dataclass(frozen=True)
class Glance:
    """`finished` of `planned` requests, `faults` among them; `in_flight` were due and have no answer yet.

    `rate_rps` is what was finished since the look before; `p50_ms` and `p99_ms` are response times from the
    intended time, of the requests that were due between the two looks before. None: there were none.
    """

    finished: int
    planned: int
    faults: int = 0
    in_flight: int = 0
    rate_rps: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None

    def line(self) -> str:
        """For `read`."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> Glance:
        """What `line` gave."""
        return cls(**json.loads(line))

    def told(self) -> str:
        """In words, without what a bar shows; empty before the first request."""
        parts = [f"{self.rate_rps:,.0f}/s"] if self.rate_rps else []
        if self.p50_ms is not None and self.p99_ms is not None:
            parts.append(f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms")
        parts += [f"{self.in_flight:,} in flight"] if self.in_flight else []
        parts += [f"{self.faults:,} faults"] if self.faults else []
        return ", ".join(parts)


Progress = Callable[[Glance], None]


def together(glances: Sequence[Glance]) -> Glance:
    """Of generators that share a run: counts add up, and a time is that of the slowest one."""
    p50s = [each.p50_ms for each in glances if each.p50_ms is not None]
    p99s = [each.p99_ms for each in glances if each.p99_ms is not None]
    return Glance(
        finished=sum(each.finished for each in glances),
        planned=sum(each.planned for each in glances),
        faults=sum(each.faults for each in glances),
        in_flight=sum(each.in_flight for each in glances),
        rate_rps=sum(each.rate_rps for each in glances),
        p50_ms=max(p50s, default=None),
        p99_ms=max(p99s, default=None),
    )


class Lookout:
    """Looks at one engine again and again."""

    def __init__(self, engine: OpenLoop) -> None:
        self._engine = engine
        self._due = [0, 0]  # how many were due at the look before the last one, and at the last one
        self._finished, self._at_s = 0, _clock()

    def glance(self) -> Glance:
        """What goes on now."""
        engine, now = self._engine, _clock()
        first, last = self._due
        p50_ms, p99_ms = self._response_ms(max(first, last - MOST), last, now)
        rate_rps = (engine.finished_count - self._finished) / max(now - self._at_s, 1e-3)
        self._due = [last, engine.due_count]
        self._finished, self._at_s = engine.finished_count, now
        return Glance(
            finished=engine.finished_count,
            planned=len(engine.slots.due_s),
            faults=engine.fault_count,
            in_flight=max(0, engine.due_count - engine.finished_count),
            rate_rps=round(rate_rps, 1),
            p50_ms=p50_ms,
            p99_ms=p99_ms,
        )

    def _response_ms(self, first: int, last: int, now: float) -> tuple[float | None, float | None]:
        """A request without an answer took at least until now: a server that stands still shows at once."""
        if first >= last:
            return None, None
        slots = self._engine.slots
        done_s = np.frombuffer(slots.done_s)[first:last]
        took_s = np.where(done_s > 0, done_s, now) - np.frombuffer(slots.due_s)[first:last]
        p50, p99 = np.percentile(took_s, (50, 99), method="inverted_cdf") * 1000
        return round(float(p50), 3), round(float(p99), 3)
