"""Faults of a target, each by a server that really has it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xxhash

from tasks.replay.asking import asker
from tasks.replay.capture import Target
from tasks.replay.glance import Glance
from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
from tasks.replay.target_url import endpoint_of
from tests.replay.rude import BLOCK, BODY_BYTES, RudeServer

Write = Callable[..., Path]
QUICK = Options(connections=8, timeout_s=1.0)


@pytest.fixture
def rude() -> Iterator[str]:
    with RudeServer() as server:
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()


def asked(log: Path, url: str, out: Path, options: Options = QUICK, rate_rps: float = 100) -> RunResult:
    return replay_run(log, url, out / "out", rate_rps=rate_rps, options=options)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/reset", "reset"),
        ("/reset-midway", "truncated"),
        ("/junk", "protocol"),
        ("/bad-chunk", "protocol"),
        ("/too-short", "timeout"),
        ("/early-then-cut", "truncated"),
        ("/only-early", "truncated"),
        ("/endless-headers", "protocol"),
        ("/endless-header", "protocol"),
        ("/endless-interim", "protocol"),
        ("/endless-continue", "protocol"),
        ("/endless-body", "timeout"),
        ("/trickle", "timeout"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_its_kind(
    rude: str, capture: Write, tmp_path: Path, path: str, fault: str
) -> None:
    result = asked(capture(*[f"GET {path}", "GET /well"] * 3), rude, tmp_path).result
    assert (result["done"], result["errors"], result["faults"]) == (3, 3, {fault: 3})
    assert result["reconciliation"] == "6 records = 3 done + 3 errors + 0 skipped + 0 unsent"
    assert result["response_ms"]["routes"][path]["p50"] == pytest.approx(1000, rel=0.01)  # the time-out value
    assert result["seconds"] < 3


@pytest.mark.parametrize("selection", [Selection(), Selection(sessions=True)], ids=["shared", "sessions"])
def test_a_handshake_that_never_ends(capture: Write, tmp_path: Path, selection: Selection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = replay_run(
            capture(*["GET /"] * 10),
            f"https://127.0.0.1:{silent.getsockname()[1]}",
            tmp_path / "out",
            rate_rps=100,
            selection=selection,
            options=Options(connections=16, timeout_s=1),
        ).result
    assert result["faults"] == {"connect": 10}
    assert result["connect_error"] == "no connection within 1 s"
    assert "no request was answered" in result["reasons"]
    assert result["seconds"] < 2


def test_a_target_that_takes_no_more_connections(capture: Write, tmp_path: Path) -> None:
    """Its queue is full, and the kernel drops what asks for more; one waits in the queue and is sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        result = asked(capture(*["GET /"] * 20), url, tmp_path, Options(connections=20, timeout_s=1)).result
    assert result["errors"] == 20
    assert set(result["faults"]) == {"connect", "timeout"}
    assert not result["valid"]


def test_a_run_without_an_answer_ends_with_1(rude: str, capture: Write, tmp_path: Path) -> None:
    log, out = capture(*["GET /reset"] * 3), tmp_path / "out"
    arguments = ["--capture", str(log), "--target", rude, "--rate", "50", "--out", str(out)]
    said = subprocess.run(
        [sys.executable, "-m", "flows.cli", "replay", "run", *arguments], capture_output=True, text=True
    )
    assert said.returncode == 1
    assert "no request was answered" in said.stdout


def test_what_follows_an_answer_is_none_of_the_next(rude: str, capture: Write, tmp_path: Path) -> None:
    result = asked(capture(*["GET /too-long-later"] * 5), rude, tmp_path, rate_rps=10).result
    assert (result["done"], result["faults"]) == (5, {})
    assert result["unasked_answers"] >= 4  # those of the last may come after the end
    assert result["connections_opened"] == 5


def test_a_connection_that_is_closed_early_costs_no_request(
    rude: str, capture: Write, tmp_path: Path
) -> None:
    result = asked(capture(*["GET /quiet-close"] * 20), rude, tmp_path).result
    assert (result["done"], result["faults"]) == (20, {})
    assert result["connections_opened"] == 20


def test_a_head_in_two_parts_before_a_body_without_length(rude: str, capture: Write, tmp_path: Path) -> None:
    run = asked(capture("GET /split-head"), rude, tmp_path)
    assert run.result["faults"] == {}
    assert run.records.body_hash[0] == xxhash.xxh3_64_intdigest(b"to the end")


def resident_kib(pid: str) -> int:
    """The most that a process ever held; 0 for one that has ended."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(told.get("VmHWM", "0").split()[0])


def test_a_gigabyte_is_hashed_and_not_held(rude: str, capture: Write, tmp_path: Path) -> None:
    mine_kib = resident_kib("self")  # a child begins with all that its parent holds
    peak_kib = 0

    def watch(glance: Glance) -> None:
        nonlocal peak_kib
        for child in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split():
            peak_kib = max(peak_kib, resident_kib(child))

    run = replay_run(
        capture("GET /gigabyte", "GET /well"),
        rude,
        tmp_path / "out",
        rate_rps=1,
        options=Options(connections=8, timeout_s=60),
        on_progress=watch,
    )
    digest = xxhash.xxh3_64()
    for _ in range(BODY_BYTES // len(BLOCK)):
        digest.update(BLOCK)
    assert run.result["done"] == 2
    assert run.records.body_hash[0] == digest.intdigest()
    assert 0 < peak_kib < mine_kib + 200 * 1024


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/reset", "ConnectionResetError: "),
        ("/junk", "BadStatusLine: "),
        ("/endless-headers", "HTTPException: got more than 100 headers"),
        ("/endless-header", "LineTooLong: "),
        ("/endless-continue", "TimeoutError: no whole answer within 0.5 s"),
        ("/endless-body", "TimeoutError: no whole answer within 0.5 s"),
        ("/trickle", "TimeoutError: no whole answer within 0.5 s"),
        ("/too-short", "TimeoutError: "),
        ("/gigabyte", "a body above 8388608 bytes"),
    ],
)
def test_a_comparison_is_as_patient(rude: str, path: str, fault: str) -> None:
    begun_s = time.monotonic()
    answer = asker(endpoint_of(rude), None, 0.5)(Target("GET", path, path))
    assert answer.fault.startswith(fault)
    assert time.monotonic() - begun_s < 2


def test_every_record_of_sessions_is_accounted_for_whatever_happens(rude: str, tmp_path: Path) -> None:
    """More clients than connections, against every fault at once; nobody is forgotten in a queue."""
    dice = np.random.default_rng(7)
    bad = ["/quiet-close", "/reset", "/too-short", "/too-long-later", "/junk", "/split-head", "/reset-midway"]
    log = tmp_path / "log.json"
    log.write_text(
        "".join(
            f'{{"msec": {n}, "request": "GET {path} HTTP/1.1", "remote_addr": "{client}"}}\n'
            for n, (path, client) in enumerate(
                zip(dice.choice(["/well"] * 12 + bad, 400), dice.integers(0, 30, 400), strict=True)
            )
        )
    )
    result = replay_run(
        log, rude, tmp_path / "out", rate_rps=200, selection=Selection(sessions=True), options=QUICK
    ).result
    assert result["done"] + result["errors"] + result["unsent"] == 400
    assert result["statuses"] == {"200": result["done"]}
    assert set(result["faults"]) <= {"reset", "truncated", "protocol", "timeout", "unsent"}
    assert result["done"] > 200
    assert result["seconds"] < 5
