"""The HTTP/2 engine against connections that are lost, and servers that hang or change their mind."""

import asyncio
import base64
import contextlib
import json
import socket
import socketserver
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import uvloop

from tasks.replay.engine import Limits
from tasks.replay.glance import Glance
from tasks.replay.http2_engine import Http2Engine
from tasks.replay.http2_stream import Trust
from tasks.replay.records import Fault
from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
from tasks.replay.target_url import endpoint_of
from tests.replay.certificates import NAME
from tests.replay.conftest import Start
from tests.replay.http2_gateway import gateway
from tests.replay.muting import muting_relay

Write = Callable[..., Path]


class At:
    """Does something in mid-run, once so many requests are done: a busy machine begins late."""

    def __init__(self, done: int, act: Callable[[], None]) -> None:
        self._done, self._thread = done, threading.Thread(target=act)

    def __call__(self, glance: Glance) -> None:
        if glance.finished >= self._done and self._thread.ident is None:
            self._thread.start()

    def join(self) -> None:
        self._thread.join()


def reconciles(run: RunResult) -> bool:
    result = run.result
    return bool(
        result["records"] == result["done"] + result["errors"] + result["unsent"] == len(run.records.due_s)
    )


def test_a_hang_counts_at_the_time_out_and_the_connection_stays(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()
    options = Options(http="2", connections=2, timeout_s=1.0)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        log = capture(*["GET /hang", *["GET /a"] * 49] * 6)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=200, options=options).result
    assert (result["done"], result["faults"]) == (294, {"timeout": 6})
    assert result["connections_opened"] == 1
    assert result["response_ms"]["routes"]["/hang"]["max"] == 1000


def test_an_answer_that_ends_early_is_truncated(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    options = Options(http="2", connections=2, timeout_s=1.0)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        log = capture(*["GET /long", "GET /a"] * 20)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=200, options=options).result
    assert (result["done"], result["faults"]) == (20, {"truncated": 20})
    assert result["connections_opened"] == 1


def test_a_server_that_is_killed_and_comes_back(start_server: Start, capture: Write, tmp_path: Path) -> None:
    """50 requests of 0.2 s each are on the way at any time; those that were lost are sent again, once."""
    _, url = start_server("a", "0.2")
    options = Options(http="2", connections=4, timeout_s=10.0)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        killing = At(200, running.restart)
        run = replay_run(
            *(capture("GET /a"), running.url, tmp_path / "out"),
            rate_rps=250,
            duration_s=4,
            options=options,
            on_progress=killing,
        )
        killing.join()
    result = run.result
    assert reconciles(run)
    assert result["retried"] > 10
    assert set(result["faults"]) <= {"connect", "reset"}
    assert result["done"] > 600
    assert result["connections_opened"] >= 2


def test_a_server_that_takes_leave_loses_nothing(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server("a", "0.2")
    options = Options(http="2", connections=4, timeout_s=10.0)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        leaving = At(200, running.relieve)
        run = replay_run(
            *(capture("GET /a"), running.url, tmp_path / "out"),
            rate_rps=250,
            duration_s=4,
            options=options,
            on_progress=leaving,
        )
        leaving.join()
    assert (run.result["done"], run.result["faults"]) == (1000, {})
    assert run.result["connections_opened"] >= 2


def test_an_idle_connection_that_the_server_closes_is_opened_anew(capture: Write, tmp_path: Path) -> None:
    options = Options(http="2", connections=1, timeout_s=1.0)
    with gateway(tmp_path, idle_ms=100) as running:
        log = capture(*["GET /hello"] * 6)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=3, options=options).result
    assert (result["done"], result["faults"], result["connections_opened"]) == (6, {}, 6)
    assert result["backlog_max"] == 0


def test_a_post_is_never_sent_twice(capture: Write, tmp_path: Path) -> None:
    """libcurl would: each connection is closed before the second request of it."""
    log = tmp_path / "targets.json"
    body = base64.b64encode(b"item=7").decode()
    log.write_text(json.dumps({"method": "POST", "url": "http://a/hello", "body": body}) + "\n")
    options = Options(http="2", connections=1, timeout_s=1.0)
    with gateway(tmp_path, idle_ms=100) as running:
        result = replay_run(
            *(log, running.url, tmp_path / "out"),
            rate_rps=3,
            duration_s=2,
            selection=Selection(unsafe=True),
            options=options,
        ).result
    assert (result["done"] + result["faults"]["reset"], result["retried"]) == (6, 0)
    assert result["done"] >= 3


def test_a_connection_that_has_gone_silent_is_left(capture: Write, tmp_path: Path) -> None:
    """Nobody says that it is gone; new connections are answered."""
    options = Options(http="2", connections=4, timeout_s=0.5)
    with gateway(tmp_path) as running, muting_relay(running.port) as relay:
        muting = At(50, relay.mute)
        run = replay_run(
            *(capture("GET /hello"), f"http://127.0.0.1:{relay.port}", tmp_path / "out"),
            rate_rps=50,
            duration_s=5,
            options=options,
            on_progress=muting,
        )
        muting.join()
    assert reconciles(run)
    assert set(run.result["faults"]) == {"timeout"}
    assert 20 <= run.result["faults"]["timeout"] <= 100  # what was sent in half a second, until it was left
    assert run.records.status[-50:].tolist() == [200] * 50


def test_the_circuit_breaker_ends_a_hopeless_run(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    options = Options(http="2", connections=4, timeout_s=1.0)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        log = capture(*["GET /long"] * 3000)
        result = replay_run(log, running.url, tmp_path / "out", rate_rps=1000, options=options).result
    assert 200 <= result["errors"] < 600
    assert result["errors"] + result["unsent"] == 3000
    assert any("circuit breaker" in reason for reason in result["reasons"])


def engine_at(url: str, trust: Trust, connect_to: str = "") -> Http2Engine:
    """Without the question that `run` asks before."""
    due, which = array("d", [n / 100 for n in range(10)]), array("I", bytes(40))
    wires = [b"GET /hello HTTP/1.1\r\nHost: shop\r\n\r\n"]
    return Http2Engine(due, wires, which, endpoint_of(url, (), connect_to), Limits(2, 1.0), trust)


def faults_of(engine: Http2Engine) -> set[Fault]:
    async def run() -> None:
        await asyncio.wait_for(engine.run(0.1), 5)

    uvloop.run(run())
    assert engine.finished_count == 10
    return {Fault(code) for code in engine.slots.fault}


class Old(socketserver.BaseRequestHandler):
    """Speaks HTTP/1.1 and closes when the client does."""

    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.request.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while self.request.recv(4096):
                pass


def test_an_answer_in_http_1_is_never_one() -> None:
    """A server that changed its mind after the run had asked it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Old) as old:
        threading.Thread(target=old.serve_forever, args=(0.05,)).start()
        engine = engine_at(f"http://127.0.0.1:{old.server_address[1]}", Trust("", ""))
        faults = faults_of(engine)
        assert faults <= {Fault.PROTOCOL, Fault.RESET}  # by what comes first, its answer or its end
        assert Fault.PROTOCOL in faults
        old.shutdown()


def test_libcurl_verifies_by_itself(tmp_path: Path, certificate: Path) -> None:
    with gateway(tmp_path, certificate=certificate) as running:
        at = running.url.removeprefix("http://")
        known = engine_at(f"https://{NAME}", Trust.of(str(certificate)), at)
        assert faults_of(known) == {Fault.NONE}
        unknown = engine_at(f"https://{NAME}", Trust.of(""), at)
        assert faults_of(unknown) == {Fault.CONNECT}
        assert "certificate" in unknown.connect_error
        misnamed = engine_at("https://localhost", Trust.of(str(certificate)), at)
        assert faults_of(misnamed) == {Fault.CONNECT}


def test_a_port_that_closes_is_no_connection(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        url = running.url
    engine = engine_at(url, Trust("", ""))
    started = time.monotonic()
    assert faults_of(engine) == {Fault.CONNECT}
    assert "refused" in engine.connect_error.lower() or "connect" in engine.connect_error.lower()
    assert time.monotonic() - started < 2
