"""One run, made by many generators: shards out, a shared start, results back, one result.json."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distributed import Client

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable
from tasks.replay.figures import INTERRUPTED, result_of
from tasks.replay.glance import Progress
from tasks.replay.plan import Plan
from tasks.replay.result_files import write
from tasks.replay.run import Options, RunResult, check_options, job_of, of_the_run
from tasks.replay.spread.crew import Generator, addresses_of, crew, submitted
from tasks.replay.spread.generator import run_shard
from tasks.replay.spread.part import FELLOW_LOST, LEAD_S_PER_REQUEST
from tasks.replay.spread.result import (
    course_of_all,
    reasons_of_all,
    records_of_all,
    rows,
    tally_of_all,
)
from tasks.replay.spread.scheduler import Spread, connected
from tasks.replay.spread.shards import Shard, places, sharded, without_requests
from tasks.replay.spread.watch import WorkerPart, watched
from tasks.replay.target_url import Endpoint

LEAD_S = 5.0  # from the shared start's choice to it: a generator is a fresh process


def spread_run(
    spread: Spread,
    plan: Plan,
    endpoint: Endpoint,
    out_dir: Path,
    options: Options,
    about: dict[str, Any],
    on_progress: Progress,
) -> RunResult:
    """As `tasks.replay.run.run`, on the generators of a Dask cluster.

    Stopped by SIGINT, or where a generator is lost, it gives what was measured, not valid.
    Raises BadInput for what cannot be asked for, OutsideError for a scheduler that is not there or a
    generator that cannot do its part; nothing was loaded then.
    """
    return asyncio.run(_run(spread, plan, endpoint, out_dir, options, about, on_progress))


async def _run(
    spread: Spread,
    plan: Plan,
    endpoint: Endpoint,
    out_dir: Path,
    options: Options,
    about: dict[str, Any],
    on_progress: Progress,
) -> RunResult:
    if options.source_addresses:
        raise BadInput("--source-address is an address of one machine; it does not go with --spread")
    if options.processes != 1:
        raise BadInput("--processes are this machine's; with --spread start a worker for each core")
    check_options(options, endpoint, max(1, spread.generators))
    async with await connected(spread) as client:
        addresses = await addresses_of(client, spread, endpoint)
        whole = job_of(plan, endpoint, options)
        jobs = sharded(whole, len(addresses))
        ca_pem = Path(options.ca_file).read_text() if options.ca_file and endpoint.tls else ""
        generators = await crew(client, addresses, Shard(without_requests(jobs[0]), (), ca_pem))
        out_dir.mkdir(parents=True, exist_ok=True)
        starts_at, parts, stopped = await _replayed(
            client, generators, [Shard(job, plan.targets, ca_pem) for job in jobs], on_progress
        )
    tally, records = tally_of_all(parts, plan.targets), records_of_all(parts, places(whole, len(parts)))
    result = result_of(
        tally, plan.records, plan.skipped, course_of_all(parts, stopped), reasons_of_all(parts)
    )
    result |= of_the_run(plan, endpoint, options) | about
    result["spread"] = {
        "scheduler": spread.scheduler,
        "encrypted": spread.encrypted,
        "started_at": datetime.fromtimestamp(starts_at, UTC).isoformat(timespec="milliseconds"),
        "generators": [
            {**_told(part.generator), **row}
            for part, row in zip(parts, rows(parts, plan.targets), strict=True)
        ],
    }
    result["processes"] = len(parts)
    write(out_dir, result, tally.routes, records)
    return RunResult(result, tally.routes, records, plan.targets)


def _told(generator: Generator) -> dict[str, Any]:
    return {
        "address": generator.address,
        "host": generator.host,
        "clock_offset_ms": round(generator.clock.ms, 3),
        "clock_error_ms": round(generator.clock.error_ms, 3),
    }


async def _replayed(
    client: Client,
    generators: list[Generator],
    shards: list[Shard],
    on_progress: Progress,
) -> tuple[float, list[WorkerPart], str]:
    """The shared start, the parts as they ended, and what stopped the run (empty: nothing)."""
    run = uuid.uuid4().hex
    with _sigint() as stop:
        try:
            sent = [
                await client.scatter(shard, workers=[g.address], hash=False)
                for shard, g in zip(shards, generators, strict=True)
            ]
        except (OSError, TimeoutError) as error:
            raise HostUnreachable("generators", f"a shard did not reach its worker ({error})") from error
        starts_at = time.time() + LEAD_S + LEAD_S_PER_REQUEST * max(len(shard.job.due_s) for shard in shards)
        parts = [
            WorkerPart(g, shard.job, submitted(client, g.address, run_shard, there, run, starts_at))
            for g, shard, there in zip(generators, shards, sent, strict=True)
        ]
        ends_at = starts_at + max(shard.job.due_s[-1] + shard.job.timeout_s for shard in shards)
        await watched(client, parts, run, ends_at, stop, on_progress)
        if stop.is_set():
            return starts_at, parts, INTERRUPTED
    return starts_at, parts, FELLOW_LOST if any(part.lost for part in parts) else ""


@contextmanager
def _sigint() -> Iterator[asyncio.Event]:
    """Set by the first Ctrl-C, which so keeps what was measured; the second ends the command."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def once() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, once)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)
