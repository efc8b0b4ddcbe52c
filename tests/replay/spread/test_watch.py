"""How each part of a run may end; the cluster is played, as a real one does not fail on demand."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from distributed import Client, Future

from tasks.replay.figures import Course
from tasks.replay.glance import Glance
from tasks.replay.spread import watch
from tasks.replay.spread.clock import Offset
from tasks.replay.spread.crew import Generator
from tasks.replay.spread.part import FELLOW_LOST, ShardResult
from tasks.replay.spread.shards import sharded
from tasks.replay.spread.watch import WorkerPart, watched
from tests.replay.spread.test_shards import job

HERE, AWAY = "tcp://10.0.0.1:4000", "tcp://10.0.0.2:4000"
MEASURED = cast(ShardResult, Course(1, 0.1, 0, 1, 0, "", 10, 0, "", "", ""))  # nobody looks into it here


@dataclass
class Task:
    """A future of Dask, as far as it is asked; its worker ends it when it is told to stop."""

    status: str = "pending"
    answer: Any = MEASURED
    error: Exception | None = None

    def done(self) -> bool:
        return self.status != "pending"

    async def exception(self) -> Exception | None:
        return self.error

    def __await__(self) -> Any:
        async def answer() -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return answer().__await__()


@dataclass
class Cluster:
    """The client of a cluster in which these workers are."""

    workers: list[str]
    tasks: dict[str, Task]
    broken: Exception | None = None  # of the scheduler
    silent: tuple[str, ...] = ()
    told: dict[str, str] = field(default_factory=dict)

    @property
    def scheduler(self) -> Cluster:
        return self

    async def identity(self, n_workers: int) -> dict[str, Any]:
        if self.broken:
            raise self.broken
        return {"workers": {address: {"resources": {"generator": 1}} for address in self.workers}}

    async def run(
        self, function: Any, run: str, because: str, workers: list[str]
    ) -> dict[str, Glance | None]:
        [address] = workers
        if address in self.silent:
            await asyncio.sleep(3600)
        if because:
            self.told[address] = because
            self.tasks[address].status = "finished"
        return {address: Glance(2, 4)}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(watch, "LOOK_WITHIN_S", 0.1)


def ended(cluster: Cluster, *, stopped: bool = False, ends_at: float | None = None) -> dict[str, str]:
    """Why each part was lost."""
    jobs = sharded(job(8), 2)
    parts = [
        WorkerPart(
            Generator(address, "host", Offset(0, 0)), each, cast("Future[Any]", cluster.tasks[address])
        )
        for address, each in zip((HERE, AWAY), jobs, strict=True)
    ]

    seen: list[Glance] = []

    async def run() -> None:
        stop = asyncio.Event()
        if stopped:
            stop.set()
        at = time.time() + 60 if ends_at is None else ends_at
        told = watched(cast(Client, cluster), parts, "run", at, stop, seen.append)
        await asyncio.wait_for(told, 5)

    asyncio.run(run())
    assert all(each.planned == 8 for each in seen)
    assert all((part.result is None) == bool(part.lost) for part in parts)
    return {part.generator.address: part.lost for part in parts}


def cluster(**more: Any) -> Cluster:
    return Cluster([HERE, AWAY], {HERE: Task(), AWAY: Task()}, **more)


def test_all_end_well() -> None:
    made = Cluster([HERE, AWAY], {HERE: Task("finished"), AWAY: Task("finished")})
    assert ended(made) == {HERE: "", AWAY: ""}


def test_a_scheduler_that_is_lost_takes_all_with_it() -> None:
    lost = ended(cluster(broken=OSError("ConnectionPool closing.")))
    assert set(lost.values()) == {"lost with its scheduler (ConnectionPool closing.)"}


def test_a_worker_that_has_left_stops_the_others() -> None:
    made = cluster()
    made.workers.remove(AWAY)
    made.tasks[AWAY].status = "cancelled"  # what it was given has gone with it
    assert ended(made) == {HERE: "", AWAY: "lost: its worker has left the scheduler"}
    assert made.told == {HERE: FELLOW_LOST}


def test_a_worker_that_is_silent_stops_the_others() -> None:
    made = cluster(silent=(AWAY,))
    assert ended(made) == {HERE: "", AWAY: "lost: it does not answer (in 0.1 s)"}
    assert made.told == {HERE: FELLOW_LOST}


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Task("error", error=MemoryError("full")), "lost: MemoryError: full"),
        (Task("cancelled"), "lost: cancelled"),
        (Task("finished", "replay generator: ended with -9"), "failed: replay generator: ended with -9"),
        (Task("finished", TimeoutError()), "lost: its result did not come (TimeoutError)"),
    ],
)
def test_a_shard_that_fails_stops_the_others(task: Task, says: str) -> None:
    made = cluster()
    made.tasks[AWAY] = task
    assert ended(made) == {HERE: "", AWAY: says}
    assert made.told == {HERE: FELLOW_LOST}


def test_nothing_is_waited_for_without_end() -> None:
    lost = ended(cluster(), ends_at=time.time() - 61)
    assert set(lost.values()) == {"lost: no result within 60 s of its end"}


def test_ctrl_c_stops_all() -> None:
    made = cluster()
    assert ended(made, stopped=True) == {HERE: "", AWAY: ""}
    assert set(made.told.values()) == {"interrupted"}
