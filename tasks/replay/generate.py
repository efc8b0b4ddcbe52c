"""Has a job done in a process of its own, and gives what it measured."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tasks.drivers.errors import CommandFailed
from tasks.replay.figures import Course
from tasks.replay.glance import Glance, Progress
from tasks.replay.job import COURSE_FILE, RECORDS_FILE, Job
from tasks.replay.records import Records

STOP_WITHIN_S = 15.0


def generated(job: Job, on_progress: Progress) -> tuple[Records, Course]:
    """Runs `tasks.replay.worker`. A KeyboardInterrupt meanwhile, also one that `on_progress` raises, ends it
    with the part that was measured.

    Raises CommandFailed where the generator died.
    """
    with tempfile.TemporaryDirectory(prefix="safe-harbor-replay-") as name:
        folder = Path(name)
        job.save(folder)
        _generate(folder, len(job.due_s), on_progress)
        course = Course(**json.loads((folder / COURSE_FILE).read_text()))
        return Records.load(folder / RECORDS_FILE), course


def _generate(folder: Path, planned: int, on_progress: Progress) -> None:
    errors = folder / "stderr"
    with errors.open("wb") as stderr:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tasks.replay.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=Path(__file__).parents[2],  # where the packages are, also when they are not installed
            text=True,
            start_new_session=True,  # Ctrl-C comes here; `_stopped` tells the generator, once
        )
    assert worker.stdout is not None  # noqa: S101 - for the type checker: PIPE was asked for
    with worker.stdout as progress:
        try:
            for line in progress:
                on_progress(Glance.read(line))
            code = worker.wait()
        except BaseException as stop:
            code = _stopped(worker)
            if not isinstance(stop, KeyboardInterrupt) or code != 0:
                raise
            return
    if code != 0:
        last = errors.read_text(errors="replace").strip().splitlines()[-3:]
        raise CommandFailed("replay generator", f"ended with {code}: {' | '.join(last) or 'no message'}")
    on_progress(Glance(planned, planned))


def _stopped(worker: subprocess.Popen[str]) -> int:
    """Asks for the partial result."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGINT)
    try:
        return worker.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        return worker.wait()
