"""Faults of a target, each by a server that really has it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash

from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
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
        ("/endless-body", "timeout"),
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


def test_a_gigabyte_is_hashed_and_not_held(rude: str, capture: Write, tmp_path: Path) -> None:
    peak_kib = 0

    def watch(done: int, planned: int) -> None:
        nonlocal peak_kib
        for child in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split():
            told = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
            if "VmHWM" in told:  # a zombie has none
                peak_kib = max(peak_kib, int(told["VmHWM"].split()[0]))

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
    assert 0 < peak_kib < 200 * 1024
