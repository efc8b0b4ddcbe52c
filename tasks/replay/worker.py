"""The generator's own process: `python -m tasks.replay.worker JOB_DIR`, started by `tasks.replay.run`.

A fresh process has no other threads, and no garbage of others to collect; it runs before everything else
on its CPU where the system lets it. SIGINT and SIGTERM end the run and keep what was measured.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path

import uvloop

from tasks.replay.engine import Engine, Limits
from tasks.replay.figures import INTERRUPTED, Course
from tasks.replay.glance import Lookout
from tasks.replay.http2_engine import Http2Engine
from tasks.replay.http2_stream import Trust
from tasks.replay.job import COURSE_FILE, RECORDS_FILE, Job
from tasks.replay.open_loop import OpenLoop
from tasks.replay.records import Records
from tasks.replay.server_timing import reader
from tasks.replay.sessions import SessionEngine

PROGRESS_EVERY_S = 0.5
LEAD_S = 0.1  # from here to the first request
_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29


def main(folder: Path) -> None:
    """Runs the job in the folder and leaves the records and the course there."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # no load without somebody who waits for it
    prctl(_PR_SET_TIMERSLACK, 1)
    job = Job.load(folder)
    engine = engine_of(job)
    scheduling = _go_first() if job.go_first else "normal"
    gc.collect()
    gc.freeze()
    gc.disable()
    cpu_s = time.process_time()
    uvloop.run(_supervised(engine, job.starts_at))
    cpu_s = time.process_time() - cpu_s
    seconds = max(0.0, time.monotonic() - engine.start_s)
    course = Course(
        seconds=seconds,
        cpu_share=cpu_s / seconds if seconds else 0.0,  # waiting for the start is no part of it
        backlog_max=engine.backlog_max,
        connections_opened=engine.opened,
        unasked=engine.unasked,
        stopped_because=engine.stopped_because,
        timeout_s=job.timeout_s,
        slo_ms=job.slo_ms,
        scheduling=scheduling,
        tls=engine.tls_seen,
        connect_error=engine.connect_error,
        tls_resumed=engine.tls_resumed,
        sessions=engine.told() if isinstance(engine, SessionEngine) else {},
    )
    Records.of(engine.slots, engine.start_s, job.target, job.expected_status).save(folder / RECORDS_FILE)
    (folder / COURSE_FILE).write_text(json.dumps(course.__dict__))


def engine_of(job: Job) -> OpenLoop:
    """The one that the job needs; sessions cost a run without them nothing."""
    limits = Limits(job.connections, job.timeout_s)
    timing = reader(job.server_timing) if job.server_timing else None
    if job.http == "2":
        trust = Trust.of(job.ca_file)
        return Http2Engine(
            *(job.due_s, job.wires, job.target, job.endpoint, limits, trust, job.source_addresses, timing)
        )
    run = (
        *(job.due_s, job.wires, job.target, (job.endpoint.address, job.endpoint.port)),
        limits,
        tls_context(job.ca_file) if job.endpoint.tls else None,
        job.endpoint.server_name if job.endpoint.tls else None,
        job.source_addresses,
        timing,
    )
    return SessionEngine(job.client, job.endpoint.server_name, *run) if job.client else Engine(*run)


async def _supervised(engine: OpenLoop, starts_at: float) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, engine.stop, INTERRUPTED)

    telling = loop.create_task(_tell(engine))
    try:
        lead_s = starts_at - time.time() if starts_at else LEAD_S
        if lead_s < 0:  # all that is overdue would be fired at once
            engine.stop(f"it was ready {-lead_s:.1f} s after the shared start")
        await engine.run(max(0.0, lead_s))
    finally:
        telling.cancel()


async def _tell(engine: OpenLoop) -> None:
    lookout = Lookout(engine)
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        sys.stdout.write(f"{lookout.glance().line()}\n")
        sys.stdout.flush()


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Verification is always on; `ca_file` is an authority of the site's own, trusted in place of the
    system's."""
    return ssl.create_default_context(cafile=ca_file or None)


def _go_first() -> str:
    """Real-time scheduling, so that a busy machine does not make requests late; it needs CAP_SYS_NICE."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        except OSError:
            return "normal"
        return "nice -10"
    return "real-time"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
