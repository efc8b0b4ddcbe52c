"""The engine against real servers that misbehave on purpose."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xxhash

from inventory.errors import BadInput
from tasks.drivers.errors import CommandFailed, HostUnreachable
from tasks.replay.glance import Glance
from tasks.replay.records import Records
from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
from tests.replay.conftest import Start
from tests.replay.http2_gateway import gateway
from tests.replay.stalling import STALL_S, Stall, generators_of_this_thread

Write = Callable[..., Path]
QUICK = Options(connections=8, timeout_s=1.0)


def replayed(log: Path, url: str, out: Path, rate_rps: float = 200, options: Options = QUICK) -> RunResult:
    return replay_run(log, url, out / "out", rate_rps=rate_rps, options=options)


def test_a_clean_run_accounts_for_every_record(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    log = capture(*(f"GET /product/{n}" for n in range(150)), "POST /cart", *["GET /"] * 50)
    run = replayed(log, url, tmp_path)
    result = run.result
    assert result["reconciliation"] == "201 records = 200 done + 0 errors + 1 skipped + 0 unsent"
    assert result["requests"] == {"*": 200, "/": 50, "/product/*": 150}
    assert result["statuses"] == {"200": 200}
    assert result["status_differs_from_capture"] == 0
    assert result["connections_opened"] <= QUICK.connections
    assert 0.9 < result["seconds"] < 1.5
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    saved = Records.load(tmp_path / "out" / "records.npz")
    assert saved.body_hash[0] == xxhash.xxh3_64_intdigest(b"body of /product/0")
    assert (saved.done_s >= saved.first_byte_s).all()
    assert (saved.first_byte_s >= saved.sent_s).all()
    assert (saved.sent_s >= saved.fired_s).all()
    assert (saved.fired_s >= saved.due_s).all()
    tags = [line.split(",")[0] for line in (tmp_path / "out" / "response.hlog").read_text().splitlines()[2:]]
    assert tags == ["Tag=all", "Tag=/", "Tag=/product/*"]


def test_answers_of_every_framing(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    log = capture(*["GET /chunked", "GET /eof", "GET /early", "HEAD /", "GET /close", "GET /a"] * 20)
    run = replayed(log, url, tmp_path)
    assert run.result["reconciliation"] == "120 records = 120 done + 0 errors + 0 skipped + 0 unsent"
    assert run.result["faults"] == {}
    paths = [run.targets[i].path for i in run.records.target]
    hashes = dict(zip(paths, run.records.body_hash.tolist(), strict=True))
    assert hashes["/chunked"] == xxhash.xxh3_64_intdigest(b"abcdefg")
    assert hashes["/eof"] == xxhash.xxh3_64_intdigest(b"to the end")
    assert hashes["/early"] == xxhash.xxh3_64_intdigest(b"body of /early")
    assert set(run.records.status.tolist()) == {200}


def test_a_reset_of_a_reused_connection_is_sent_again_once(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()
    run = replayed(capture(*["GET /a", "GET /reset-idle"] * 20), url, tmp_path)
    result = run.result
    assert result["done"] == 40
    assert result["errors"] == 0
    assert result["retried"] >= 10  # a /reset-idle that meets a new connection is answered
    again = run.records.retried == 1
    assert (run.records.sent_s[again] > run.records.fired_s[again]).all()
    assert np.diff(run.records.due_s) == pytest.approx(np.full(39, 0.005), abs=1e-6)


def vegeta_targets(folder: Path, *lines: dict[str, str]) -> Path:
    file = folder / "targets.json"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_a_post_is_sent_with_its_body_and_never_twice(start_server: Start, tmp_path: Path) -> None:
    _, url = start_server()
    echo = {"method": "POST", "url": "http://a/echo", "body": base64.b64encode(b"item=7\n").decode()}
    lost = {"method": "POST", "url": "http://a/reset-idle"}
    log = vegeta_targets(tmp_path, *[echo, lost] * 10)
    unsafe = Selection(unsafe=True)
    run = replay_run(log, url, tmp_path / "out", rate_rps=100, selection=unsafe, options=QUICK)
    assert run.result["retried"] == 0
    assert run.result["faults"]["reset"] >= 5
    echoed = {run.records.body_hash[n] for n in range(0, 20, 2)}
    assert echoed == {xxhash.xxh3_64_intdigest(b"POST /echo HTTP/1.1\nitem=7\n")}
    assert run.result["status_differs_from_capture"] == 0  # the targets tell no status
    with pytest.raises(BadInput, match="20 lines with other methods"):
        replay_run(log, url, tmp_path / "out", rate_rps=100, options=QUICK)
    with pytest.raises(BadInput, match="the format vegeta-json has no times; give a rate"):
        replay_run(log, url, tmp_path / "out", speed=1.0, selection=unsafe, options=QUICK)


@pytest.mark.parametrize(
    ("path", "fault"), [("/short", "protocol"), ("/long", "truncated"), ("/garbage", "protocol")]
)
def test_answers_that_are_wrong_are_errors(
    start_server: Start, capture: Write, tmp_path: Path, path: str, fault: str
) -> None:
    _, url = start_server()
    result = replayed(capture(*[f"GET {path}", "GET /a"] * 20), url, tmp_path).result
    assert (result["done"], result["errors"], result["faults"]) == (20, 20, {fault: 20})
    assert result["response_ms"]["routes"][path]["p50"] == pytest.approx(1000, rel=0.01)  # the time-out value


def test_a_hang_counts_at_the_time_out(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    result = replayed(capture(*["GET /hang", *["GET /a"] * 49] * 2), url, tmp_path).result
    assert (result["done"], result["faults"]) == (98, {"timeout": 2})
    assert result["errors_by_route"] == {"*": 2, "/a": 0, "/hang": 2}
    assert result["response_ms"]["routes"]["/hang"]["max"] == 1000
    assert result["response_ms"]["routes"]["/a"]["p95"] < 200
    assert result["seconds"] == pytest.approx(1.25, abs=0.3)


def test_requests_that_never_leave_the_backlog_are_unsent(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()
    options = Options(connections=1, timeout_s=0.5)
    result = replayed(capture(*["GET /hang"] * 20), url, tmp_path, 20_000, options).result
    assert result["unsent"] + result["faults"]["timeout"] == 20
    assert result["unsent"] >= 10
    assert result["response_ms"]["p50"] == 500
    assert result["backlog_max"] == 19
    assert not result["valid"]
    assert "backlog of 19 requests at the connection cap: raise --connections" in result["reasons"]


def test_server_errors_are_done_and_errors_of_their_route(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()
    run = replayed(capture(*["GET /status/503", "GET /status/404"] * 10), url, tmp_path)
    assert run.result["done"] == 20
    assert run.measured["*"].errors == 10
    assert run.result["statuses"] == {"404": 10, "503": 10}
    assert run.result["status_differs_from_capture"] == 20


def test_the_circuit_breaker_ends_a_hopeless_run(start_server: Start, capture: Write, tmp_path: Path) -> None:
    _, url = start_server()
    result = replayed(capture(*["GET /garbage"] * 3000), url, tmp_path, 1000).result
    assert result["errors"] < 400
    assert result["errors"] + result["unsent"] == 3000
    assert result["seconds"] < 2  # of the 3 that were planned
    assert not result["valid"]
    assert any("circuit breaker" in reason for reason in result["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_was_measured(
    start_server: Start, capture: Write, tmp_path: Path, sign: signal.Signals
) -> None:
    """As Ctrl-C or a service manager does it: the signal comes to the process that called the replay."""
    _, url = start_server()
    arguments = ["--capture", str(capture(*["GET /a"] * 1000)), "--target", url, "--rate", "100"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "replay", "run", *arguments, "--out", str(tmp_path / "out")],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(6)  # of the run's 10 s and its start
    process.send_signal(sign)
    assert process.wait(10) == 130
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert 0 < result["done"] < 1000
    assert result["done"] + result["errors"] + result["unsent"] == 1000
    assert result["interrupted"]
    assert not result["valid"]
    assert result["reasons"][0] == "stopped before its end: interrupted"


@pytest.mark.slow
@pytest.mark.quiet
def test_a_stopped_server_is_not_omitted(start_server: Start, capture: Write, tmp_path: Path) -> None:
    """The oracle of coordinated omission: 1,000 rps for 8 s, the server stopped for one of them. The slowest
    1 % are the 80 requests that were due first in that second, so p99 is 920 ms."""
    server, url = start_server()

    def stop_for_a_second() -> None:
        time.sleep(3)
        server.send_signal(signal.SIGSTOP)
        time.sleep(1)
        server.send_signal(signal.SIGCONT)

    stopping = threading.Thread(target=stop_for_a_second)
    stopping.start()
    options = Options(connections=64, timeout_s=10)
    result = replay_run(
        capture("GET /a"), url, tmp_path / "out", rate_rps=1000, duration_s=8, options=options
    ).result
    stopping.join()
    assert result["done"] == 8000
    assert result["response_ms"]["p99"] == pytest.approx(920, rel=0.02)
    assert result["service_ms"]["p50"] < 50
    assert not result["valid"]  # the requests waited at the cap, and that is said


def test_only_loopback_and_named_addresses_are_loaded(capture: Write, tmp_path: Path) -> None:
    log = capture("GET /")
    for url in ("http://192.0.2.10:80", "http://192.0.2.10", "192.0.2.10:80"):
        with pytest.raises(
            BadInput, match=r"192\.0\.2\.10 \(192\.0\.2\.10\) may not be loaded; allowed are loop"
        ):
            replayed(log, url, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://127.0.0.1", "is not a target; allowed: http://HOST"),
        ("http://", "is not a target"),
        ("http://127.0.0.1:99999", "[Pp]ort"),
        ("http://127.0.0.1/shop", "the paths come from the capture"),
        ("http://anna:secret@127.0.0.1", "scheme, host and port only"),
    ],
)
def test_bad_targets(capture: Write, tmp_path: Path, url: str, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        replayed(capture("GET /"), url, tmp_path)


@pytest.mark.parametrize(
    "options", [Options(connections=0), Options(connections=30_000), Options(timeout_s=0)]
)
def test_bad_bounds(capture: Write, tmp_path: Path, options: Options) -> None:
    with pytest.raises(BadInput, match="allowed: "):
        replayed(capture("GET /"), "http://127.0.0.1:1", tmp_path, options=options)


def test_nothing_listens(capture: Write, tmp_path: Path) -> None:
    with pytest.raises(HostUnreachable, match=r"127\.0\.0\.1:1: no connection .*refused"):
        replayed(capture("GET /"), "http://127.0.0.1:1", tmp_path)


def test_a_generator_that_is_killed_is_an_outside_error(
    start_server: Start, capture: Write, tmp_path: Path
) -> None:
    _, url = start_server()

    def kill_child(_: Glance) -> None:
        for child in generators_of_this_thread():
            os.kill(child, signal.SIGKILL)

    with pytest.raises(CommandFailed, match="replay generator: ended with -9"):
        replay_run(
            capture("GET /"), url, tmp_path / "out", rate_rps=10, duration_s=20, on_progress=kill_child
        )
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_a_generator_that_stood_still_is_not_valid(
    http: str, start_server: Start, capture: Write, tmp_path: Path
) -> None:
    """For 0.3 s of 3 s at 200 rps: a tenth of all requests are late, by up to 300 ms."""
    _, url = start_server()
    stall = Stall(after=100)
    with gateway(tmp_path, backend=url.removeprefix("http://")) as running:
        run = replay_run(
            *(capture("GET /a"), running.url if http == "2" else url, tmp_path / "out"),
            rate_rps=200,
            duration_s=3,
            options=Options(http=http, connections=128, timeout_s=5.0),
            on_progress=stall,
        )
    result = run.result
    assert stall.stalled
    assert (result["valid"], result["done"]) == (False, 600)
    late = [reason for reason in result["reasons"] if reason.startswith("lateness p99 ")]
    assert late, result["reasons"]
    assert late[0].endswith(" ms > 1 ms: the generator did not keep the schedule")
    assert result["lateness_us"]["p99"] > (STALL_S - 0.1) * 1e6
    late_s = run.records.fired_s - run.records.due_s
    assert (late_s > 0.1).sum() >= 30  # those that were due in the first 0.2 s of it
    response_s = run.records.done_s - run.records.due_s
    assert (response_s >= late_s).all()  # a customer would have waited for all of it
