"""What the servers state of themselves: read from real answers, and kept only where all of them state it."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.replay.capture import read_capture
from tasks.replay.plan import at_rate
from tasks.replay.run import Options, RunResult, run
from tasks.replay.server_timing import reader
from tasks.replay.target_url import endpoint_of
from tests.replay.conftest import Start
from tests.replay.http2_gateway import gateway

Captured = Callable[..., Path]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\n\r\nok"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"Server-Timing: app;dur=12.5", 0.0125),
        (b"server-timing: cache;desc=hit, APP ; desc=x ; dur=2", 0.002),
        (b'Server-Timing: app;dur="0"', 0.0),
        (b"Server-Timing: db;dur=1\r\nServer-Timing: app;dur=3", 0.003),
        (b"Server-Timing: app;dur=1, app;dur=9", 0.001),
        (b"Server-Timing: myapp;dur=1, app2;dur=2", None),
        (b"Server-Timing: app;desc=3", None),
        (b"X-Server-Timing: app;dur=3", None),
        (b"X: y", None),
        (b"X: y\r\n\r\nServer-Timing: app;dur=3", None),
    ],
)
def test_a_metric_is_read(line: bytes, seconds: float | None) -> None:
    found = reader("app")(HEAD % line)
    assert math.isnan(found) if seconds is None else found == pytest.approx(seconds)


def replayed(url: str, capture: Path, out: Path, metric: str) -> RunResult:
    options = Options(server_timing=metric, go_first=False)
    return run(at_rate(read_capture(capture), 200, requests=40), endpoint_of(url), out, options)


def test_a_run_keeps_what_was_stated(tmp_path: Path, start_server: Start, capture: Captured) -> None:
    _, url = start_server()
    result = replayed(url, capture("GET /timed"), tmp_path / "out", "app").result
    assert result["server_stated"] == result["done"] == 40
    assert result["server_ms"]["p99"] == pytest.approx(7.5, rel=0.01)
    assert result["server_ms"]["p50"] < result["service_ms"]["p50"]


def test_over_http2_too(tmp_path: Path, start_server: Start, capture: Captured) -> None:
    _, url = start_server()
    plan = at_rate(read_capture(capture("GET /timed", "GET /a")), 200, requests=40)
    options = Options(http="2", timeout_s=5, server_timing="app")
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        done = run(plan, endpoint_of(running.url), tmp_path / "out", options)
    assert done.result["done"] == 40
    stated_s = done.records.server_s
    timed = done.records.target == [target.path for target in done.targets].index("/timed")
    assert stated_s[timed] == pytest.approx(0.0075, rel=0.01)
    assert timed.sum() == 20
    assert np.isnan(stated_s[~timed]).all()


def test_a_run_without_an_answer_has_no_server_side(tmp_path: Path, capture: Captured) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = Options(timeout_s=0.2, go_first=False)
        done = run(
            at_rate(read_capture(capture("GET /a")), 10, requests=2),
            endpoint_of(url),
            tmp_path / "out",
            options,
        )
    assert (done.result["done"], done.result["server_ms"]) == (0, None)


@pytest.mark.parametrize(("paths", "metric"), [(("/timed", "/a"), "app"), (("/timed",), "")])
def test_a_run_in_which_some_state_nothing_has_no_server_side(
    paths: tuple[str, ...], metric: str, tmp_path: Path, start_server: Start, capture: Captured
) -> None:
    _, url = start_server()
    result = replayed(url, capture(*(f"GET {path}" for path in paths)), tmp_path / "out", metric).result
    assert result["server_ms"] is None
    assert result["server_stated"] == (20 if metric else 0)
