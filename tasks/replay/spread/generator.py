"""What runs on a worker of Dask: it is the generator of one shard at a time.

`ready`, `clock_of_scheduler` and `run_shard` are tasks; `look` runs beside them, in the worker's event loop.
A generator of which nobody asks anything any more stops: no load without somebody who waits for it.
"""

from __future__ import annotations

import hashlib
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from distributed import get_client

from inventory.errors import BadInput
from tasks.drivers.errors import OutsideError
from tasks.replay.generate import generated
from tasks.replay.glance import Glance
from tasks.replay.reach import check_reach
from tasks.replay.spread.clock import ROUND_TRIPS, RoundTrip
from tasks.replay.spread.part import ShardResult
from tasks.replay.spread.shards import Shard
from tasks.replay.tally import tally_of

FORSAKEN_AFTER_S = 30.0

_wall_ns = time.time_ns  # this machine's; the function itself is sent to the scheduler


@dataclass(frozen=True)
class Ready:
    """What a worker says of itself: its machine, its code of the replay, and why it cannot take part."""

    host: str
    code: str
    problem: str


@dataclass
class _Running:
    asked_s: float
    seen: Glance | None = None
    stop: str = ""

    def told(self, glance: Glance) -> None:
        """Progress of the generator, twice a second."""
        self.seen = glance
        if not self.stop and time.monotonic() - self.asked_s > FORSAKEN_AFTER_S:
            self.stop = f"nobody asked about it for {FORSAKEN_AFTER_S:g} s"
        if self.stop and glance.finished < glance.planned:
            raise KeyboardInterrupt


_running: dict[str, _Running] = {}  # by run


def ready(shard: Shard) -> Ready:
    """Warms the worker up: afterwards all that a shard needs is imported. This one has no requests.

    Errors go back as text: ours do not survive the way between machines.
    """
    problem = ""
    try:
        with _ca_file(shard.ca_pem) as ca_file:
            check_reach(replace(shard.job, ca_file=ca_file))
    except (BadInput, OutsideError) as error:
        problem = str(error)
    return Ready(socket.gethostname(), code_digest(), problem)


def clock_of_scheduler() -> list[RoundTrip]:
    """Round trips from this worker to its scheduler."""
    scheduler = get_client()
    trips = []
    for _ in range(ROUND_TRIPS):
        asked_ns = _wall_ns()
        there_ns = scheduler.run_on_scheduler(time.time_ns)
        trips.append(RoundTrip(asked_ns, there_ns, _wall_ns()))
    return trips


def run_shard(shard: Shard, run: str, starts_at: float) -> ShardResult | str:
    """Loads the target with one shard from `starts_at` (wall clock) on; what went wrong, where it did."""
    running = _running[run] = _Running(asked_s=time.monotonic())
    try:
        with _ca_file(shard.ca_pem) as ca_file:
            job = replace(shard.job, starts_at=starts_at, ca_file=ca_file)
            records, course = generated(job, running.told)
    except (OutsideError, OSError) as error:
        return str(error)
    finally:
        del _running[run]
    if running.stop and course.stopped_because:
        course = replace(course, stopped_because=running.stop)
    return ShardResult(course, tally_of(records, shard.targets, course.timeout_s), records)


def look(run: str, stop: str) -> Glance | None:
    """How far this worker is with the run; None: it has not begun. With a reason in `stop` it ends."""
    running = _running.get(run)
    if running is None:
        return None
    running.asked_s = time.monotonic()
    running.stop = running.stop or stop
    return running.seen


@cache
def code_digest() -> str:
    """SHA-256 over the sources of the replay: all machines must run the same. Of a worker it is what it was
    started with, also where a newer version has been installed under it."""
    digest = hashlib.sha256()
    room = Path(__file__).parents[1]
    for file in sorted(room.rglob("*.py")):
        digest.update(f"{file.relative_to(room)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _ca_file(pem: str) -> Iterator[str]:
    if not pem:
        yield ""
        return
    with tempfile.NamedTemporaryFile("w", prefix="safe-harbor-ca-", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        yield file.name
