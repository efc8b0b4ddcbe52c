"""A run by several processes of this machine, one a core, as one run: shards that start together.

Record i is process i mod n's (with sessions all of a client are one's); histograms are added by counts. A
process that is lost voids the run: its records count as errors, and the others stop.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from inventory.errors import BadInput
from tasks.drivers.errors import OutsideError
from tasks.replay.capture import Target
from tasks.replay.figures import INTERRUPTED
from tasks.replay.generate import generated
from tasks.replay.glance import Glance, Progress, together
from tasks.replay.job import Job
from tasks.replay.spread.part import FELLOW_LOST, LEAD_S_PER_REQUEST, ShardResult
from tasks.replay.tally import tally_of

LOOK_EVERY_S = 0.5
LEAD_S = 2.0  # to the shared start, and ...
LEAD_S_PER_PROCESS = 0.5  # ... so much more for each: they are started at once, and share the cores meanwhile


@dataclass
class ProcessPart:
    """One shard and its process; a `spread.part.Part`."""

    name: str
    job: Job
    result: ShardResult | None = None
    lost: str = ""
    seen: Glance = field(init=False)

    def __post_init__(self) -> None:
        self.seen = Glance(0, len(self.job.due_s))


@dataclass
class _Stop:
    because: str = ""  # empty: nobody wants it


def processes_of(asked: int) -> int:
    """How many processes; 0 asks for all cores but one, which stays for the kernel's part and for others.

    Raises BadInput for more than there are cores: one would wait for the other, and be late.
    """
    cores = len(os.sched_getaffinity(0))
    if not 0 <= asked <= cores:
        raise BadInput(
            f"--processes {asked}: allowed: 1 to {cores} (the cores), or 0 for all of them but one"
        )
    return asked or max(1, cores - 1)


def generated_by_processes(
    shards: list[Job], targets: tuple[Target, ...], on_progress: Progress
) -> tuple[list[ProcessPart], str]:
    """The parts as they ended, and what stopped the run (empty: nothing). A KeyboardInterrupt meanwhile, also
    one that `on_progress` raises, ends all of them with what they have measured.
    """
    parts = [ProcessPart(f"process {n}", shard) for n, shard in enumerate(shards, start=1)]
    requests = sum(len(shard.due_s) for shard in shards)
    lead_s = LEAD_S + LEAD_S_PER_PROCESS * len(shards) + LEAD_S_PER_REQUEST * requests
    starts_at, stop = time.time() + lead_s, _Stop()
    with ThreadPoolExecutor(len(shards)) as threads:
        running = [threads.submit(_generate, part, targets, starts_at, stop) for part in parts]
        try:
            while wait(running, LOOK_EVERY_S).not_done:
                on_progress(together([part.seen for part in parts]))
        except BaseException as error:
            stop.because = INTERRUPTED
            if not isinstance(error, KeyboardInterrupt):
                raise
        for each in running:
            each.result()
    if not stop.because:
        on_progress(together([part.seen for part in parts]))
    return parts, stop.because


def _generate(part: ProcessPart, targets: tuple[Target, ...], starts_at: float, stop: _Stop) -> None:
    """In a thread: waits for one process, and stops it where the run is to end."""

    def told(glance: Glance) -> None:
        part.seen = glance
        if stop.because and glance.finished < glance.planned:
            raise KeyboardInterrupt

    try:
        records, course = generated(replace(part.job, starts_at=starts_at), told)
    except (OutsideError, OSError) as error:
        part.lost = f"lost: {error}"
        stop.because = stop.because or FELLOW_LOST
        return
    except KeyboardInterrupt:
        part.lost = "lost: it gave no result when it was stopped"
        return
    if course.stopped_because == INTERRUPTED and stop.because:
        course = replace(course, stopped_because=stop.because)
    stop.because = stop.because or course.stopped_because
    part.result = ShardResult(course, tally_of(records, targets, course.timeout_s), records)
