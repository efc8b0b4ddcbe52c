"""Several processes that are one run: each record once, one start, and none of them is left out."""

import contextlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flows.cli.answers import summary
from inventory.errors import BadInput
from tasks.replay.glance import Glance
from tasks.replay.processes import processes_of
from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
from tests.replay.conftest import Start

Write = Callable[..., Path]
CORES = len(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(CORES < 2, reason="two processes want two cores")
TWO = Options(connections=8, timeout_s=2.0, slo_ms=10_000, processes=2)


def generators() -> list[int]:
    """The generators that this process has begun, in any of its threads."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # a thread or a child has ended meanwhile: look again
            return _generators()


def _generators() -> list[int]:
    found = []
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text().split():
            if b"tasks.replay.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def reconciles(run: RunResult) -> bool:
    result, rows = run.result, run.result["generators"]
    return bool(
        result["records"] == result["done"] + result["errors"] + result["skipped"] + result["unsent"]
        and all(result[what] == sum(row[what] for row in rows) for what in ("done", "errors", "unsent"))
        and len(run.records.due_s) == sum(row["planned"] for row in rows)
    )


def test_two_processes_are_one_run(start_server: Start, capture: Write, tmp_path: Path) -> None:
    """Odd and even records are different requests: each process has the whole run's pace, and its half."""
    _, url = start_server()
    log = capture(*["GET /even", "GET /odd", "GET /status/503", "POST /left-out"] * 100)
    out = tmp_path / "out"
    seen: list[Glance] = []
    run = replay_run(log, url, out, rate_rps=300, options=TWO, on_progress=seen.append)
    result = json.loads((out / "result.json").read_text())
    assert result == run.result
    assert (result["processes"], result["done"], result["skipped"]) == (2, 300, 100)
    assert result["reconciliation"] == "400 records = 300 done + 0 errors + 100 skipped + 0 unsent"
    assert reconciles(run)
    assert "processes 2" in summary(result, out)
    assert [row["process"] for row in result["generators"]] == ["process 1", "process 2"]
    assert [row["planned"] for row in result["generators"]] == [150, 150]
    assert result["statuses"] == {"200": 200, "503": 100}
    assert result["requests"]["*"] == 300
    assert seen[-1].finished == 300
    np.testing.assert_allclose(np.diff(run.records.due_s), 1 / 300, atol=1e-9)  # the run's order, one start
    assert result["response_ms"]["max"] < 2000


def test_the_sessions_of_a_client_stay_with_one_process(start_server: Start, tmp_path: Path) -> None:
    _, url = start_server()
    log = tmp_path / "clients.log"
    line = '203.0.113.{n} - - [04/Oct/2015:13:55:36 +0200] "GET /{n} HTTP/1.1" 200 5 "-" "-"\n'
    log.write_text("".join(line.format(n=n) for n in range(6)) * 10)
    selection = Selection(sessions=True)
    run = replay_run(log, url, tmp_path / "out", rate_rps=200, options=TWO, selection=selection)
    assert (run.result["done"], run.result["sessions"]["clients"]) == (60, 6)
    assert run.result["connections_opened"] == 6
    assert reconciles(run)


def test_a_process_that_is_killed_voids_the_run(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    killed: list[int] = []

    def kill_one(glance: Glance) -> None:
        if glance.finished > 50 and not killed:
            killed.append(generators()[0])
            os.kill(killed[0], signal.SIGKILL)

    log = capture("GET /")
    run = replay_run(
        log, url, tmp_path / "out", rate_rps=200, duration_s=20, options=TWO, on_progress=kill_one
    )
    result = run.result
    assert not result["valid"]
    assert not result["interrupted"]
    assert "lost: replay generator: ended with -9" in result["reasons"][0]
    assert any("another generator was lost" in reason for reason in result["reasons"])
    assert result["faults"]["lost"] == 2000
    assert result["unsent"] > 0  # of the other one, which was stopped
    assert reconciles(run)
    assert generators() == []


def test_an_interrupt_keeps_what_all_have_measured(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()

    def stop(glance: Glance) -> None:
        if glance.finished > 50:
            raise KeyboardInterrupt

    run = replay_run(
        capture("GET /"), url, tmp_path / "out", rate_rps=200, duration_s=20, options=TWO, on_progress=stop
    )
    assert run.interrupted
    assert not run.valid
    assert run.result["done"] > 50
    assert all(row["done"] and row["unsent"] for row in run.result["generators"])
    assert reconciles(run)
    assert generators() == []


def test_the_circuit_breaker_of_one_stops_all(start_server: Start, capture: Write, tmp_path: Path) -> None:
    """One process has all that fails: every second request."""
    _, url = start_server()
    log = capture(*["GET /garbage", "GET /well"] * 10)
    run = replay_run(log, url, tmp_path / "out", rate_rps=400, duration_s=20, options=TWO)
    reasons = run.result["reasons"]
    assert all(any(f"process {n}: stopped" in reason for reason in reasons) for n in (1, 2)), reasons
    assert "circuit breaker" in reasons[0]
    assert run.result["unsent"] > 4000
    assert reconciles(run)


def test_how_many(capture: Write, tmp_path: Path) -> None:
    assert (processes_of(1), processes_of(0), processes_of(CORES)) == (1, CORES - 1, CORES)
    for wrong in (-1, CORES + 1):
        with pytest.raises(BadInput, match=f"--processes {wrong}: allowed: 1 to {CORES}"):
            processes_of(wrong)


def test_fewer_requests_than_processes(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    with pytest.raises(BadInput, match="too few requests for 2 generators: 1 would have nothing to do"):
        replay_run(capture("GET /"), url, tmp_path / "out", rate_rps=1, options=TWO)
    assert not (tmp_path / "out").exists()
