"""The HTTP/2 engine against a server that breaks the protocol, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.replay.glance import Glance
from tasks.replay.records import Fault
from tasks.replay.run import Options, RunResult, replay_run
from tests.replay.rude_http2 import BEHAVIOURS, RudeHttp2Server
from tests.replay.stalling import generators_of_this_thread

Write = Callable[..., Path]
OPTIONS = Options(http="2", connections=16, timeout_s=1.0)
TIMES = 5


def replayed(path: str, capture: Write, folder: Path) -> RunResult:
    """The path and one that is answered well, in turns."""
    peaks_kib: list[int] = []

    def watch(_: Glance) -> None:
        for child in generators_of_this_thread():
            said = Path(f"/proc/{child}/status").read_text().partition("VmHWM:")[2]
            peaks_kib.append(int(said.split()[0]))

    with RudeHttp2Server() as server:
        log = capture(*[f"GET {path}", "GET /well"] * TIMES)
        run = replay_run(log, server.url, folder / "out", rate_rps=10, options=OPTIONS, on_progress=watch)
        server.shutdown()
    assert 0 < max(peaks_kib) < 200 * 1024
    result = run.result
    assert result["records"] == result["done"] + result["errors"] + result["unsent"] == 2 * TIMES
    return run


def faults_of(run: RunResult, path: str) -> set[str]:
    number = next(n for n, target in enumerate(run.targets) if target.path == path)
    return {Fault(code).name.lower() for code in run.records.fault[run.records.target == number]}


# What becomes of the request of such a path; the connection is lost with it.
FATAL = {
    "/continuation-flood": {"protocol"},
    "/endless-head": {"protocol"},
    "/header-bomb": {"protocol"},
    "/too-long-frame": {"protocol"},
    "/endless-empty-body": {"protocol", "truncated"},
    "/endless-interim": {"protocol", "reset"},
    "/junk": {"timeout", "reset", "protocol"},
    "/data-before-head": {"timeout", "reset", "protocol"},
    "/bad-header-block": {"timeout", "reset", "protocol"},
    "/head-on-another-stream": {"timeout", "reset", "protocol"},
    "/push": {"reset", "protocol"},
    "/ping-flood": {"reset", "protocol"},
    "/settings-flood": {"reset", "protocol"},
    "/refused": {"reset"},
    "/leave-always": {"reset"},
    "/close-midway": {"truncated", "reset"},
}
# Only its stream is; all others of the connection are answered.
OF_THE_STREAM = {
    "/large-head": {"protocol"},
    "/endless-body": {"timeout"},
    "/too-much-body": {"truncated"},
    "/too-little-body": {"truncated"},
    "/rst": {"reset"},
    "/rst-midway": {"truncated"},
}
HARMLESS = {"/well", "/unknown-frames", "/leave-midway"}


@pytest.mark.parametrize("path", FATAL)
def test_a_connection_that_breaks_the_protocol_is_left(path: str, capture: Write, tmp_path: Path) -> None:
    """Others that were on the way there share its fate, or are sent once more; later ones get a new one."""
    run = replayed(path, capture, tmp_path)
    assert faults_of(run, path) <= FATAL[path]
    assert run.result["done"] >= 1
    assert run.result["connections_opened"] >= 2


@pytest.mark.parametrize("path", OF_THE_STREAM)
def test_a_stream_that_goes_wrong_is_one_request(path: str, capture: Write, tmp_path: Path) -> None:
    run = replayed(path, capture, tmp_path)
    assert faults_of(run, path) == OF_THE_STREAM[path]
    assert faults_of(run, "/well") == {"none"}
    assert run.result["connections_opened"] == 1
    failed = run.records.fault != Fault.NONE
    assert np.isnan(run.records.done_s[failed]).all()


def test_frames_of_unknown_types_are_ignored(capture: Write, tmp_path: Path) -> None:
    run = replayed("/unknown-frames", capture, tmp_path)
    assert (run.result["done"], run.result["connections_opened"]) == (2 * TIMES, 1)


def test_who_leaves_in_mid_run_loses_nothing(capture: Write, tmp_path: Path) -> None:
    """GOAWAY that leaves one request out, and closes: it was not looked at, and is sent again."""
    result = replayed("/leave-midway", capture, tmp_path).result
    assert (result["done"], result["faults"]) == (2 * TIMES, {})
    assert result["retried"] >= 1
    assert result["connections_opened"] >= 2


def test_every_way_to_misbehave_is_tried_here() -> None:
    assert set(BEHAVIOURS) == FATAL.keys() | OF_THE_STREAM.keys() | HARMLESS
