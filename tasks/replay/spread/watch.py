"""The shards while they run: how far each is, whether its worker is still there, how each ended."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import CancelledError  # of Dask; asyncio's is another
from dataclasses import dataclass, field

from distributed import Client, Future

from tasks.replay.figures import INTERRUPTED
from tasks.replay.glance import Glance, Progress, together
from tasks.replay.job import Job
from tasks.replay.spread.crew import Generator, failure_of, workers_of
from tasks.replay.spread.generator import look
from tasks.replay.spread.part import FELLOW_LOST, ShardResult

LOOK_EVERY_S = 1.0
LOOK_WITHIN_S = 10.0
END_WITHIN_S = 60.0  # after the last time-out: for the records' way back


@dataclass
class WorkerPart:
    """One shard with its generator; a `spread.part.Part`."""

    generator: Generator
    job: Job
    future: Future[ShardResult | str]
    result: ShardResult | None = None
    lost: str = ""
    seen: Glance = field(init=False)

    def __post_init__(self) -> None:
        self.seen = Glance(0, len(self.job.due_s))

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.generator.host} ({self.generator.address})"

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.result is not None or bool(self.lost)


async def watched(
    client: Client,
    parts: list[WorkerPart],
    run: str,
    ends_at: float,
    stop: asyncio.Event,
    on_progress: Progress,
) -> None:
    """Returns when every part is over: none is waited for longer than `ends_at` (wall clock) and a minute.

    A lost generator, and `stop`, end the others with what they have measured.
    """
    because = ""
    while waiting := [part for part in parts if not part.over]:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            here = await workers_of(client)
        except OSError as error:
            for part in waiting:
                part.lost = f"lost with its scheduler ({error})"
            return
        for part in waiting:
            await _settle(part, part.generator.address in here, time.time() > ends_at + END_WITHIN_S)
        if stop.is_set():
            because = INTERRUPTED
        elif any(part.lost for part in parts):
            because = because or FELLOW_LOST
        await asyncio.gather(*(_look(client, part, run, because) for part in parts if not part.over))
        on_progress(together([part.seen for part in parts]))


async def _settle(part: WorkerPart, is_here: bool, overdue: bool) -> None:
    if not is_here:  # whatever it has measured has gone with it
        part.lost = "lost: its worker has left the scheduler"
    elif part.future.status == "finished":
        await _take(part)
    elif part.future.done():
        part.lost = f"lost: {await failure_of(part.future)}"
    elif overdue:
        part.lost = f"lost: no result within {END_WITHIN_S:g} s of its end"


async def _take(part: WorkerPart) -> None:
    try:
        answer = await asyncio.wait_for(part.future, END_WITHIN_S)
    except (TimeoutError, CancelledError) as error:
        part.lost = f"lost: its result did not come ({type(error).__name__})"
        return
    if isinstance(answer, str):
        part.lost = f"failed: {answer}"
    else:
        part.result, part.seen = answer, Glance(len(part.job.due_s), len(part.job.due_s))


async def _look(client: Client, part: WorkerPart, run: str, because: str) -> None:
    address = part.generator.address
    try:
        answers = await asyncio.wait_for(client.run(look, run, because, workers=[address]), LOOK_WITHIN_S)
    except OSError as error:  # a time-out is one, and says nothing
        part.lost = f"lost: it does not answer ({str(error) or f'in {LOOK_WITHIN_S:g} s'})"
        return
    part.seen = answers[address] or part.seen
