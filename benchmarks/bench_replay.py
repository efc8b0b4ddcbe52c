"""The replay engine beside wrk, against the same haproxy on loopback, one processor each side."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.table import Row, run, show
from rehearsal import packages
from tasks.replay.run import Options, RunResult, replay_run

CONNECTIONS = 64
SECONDS = 4
ROUNDS = 3
SATURATING_RPS = 200_000.0
STEADY_RPS = 5_000.0
SERVER_CPU, CLIENT_CPU = "0", "1"
CONFIG = """
global
    maxconn 4096
    nbthread 1
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend bench
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string "{body}"
"""


def main() -> int:
    """Measure in turns, print, keep."""
    packages.install(packages.missing({"wrk": "wrk", "haproxy": "haproxy"}), print)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), _free_port()
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(port=port, body="x" * 67))
        capture = folder / "access.log"
        line = '127.0.0.1 - - [01/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 67 "-" "bench"\n'
        capture.write_text(line * int(SATURATING_RPS * SECONDS))
        server = subprocess.Popen(["taskset", "-c", SERVER_CPU, "haproxy", "-db", "-f", str(config)])
        try:
            _wait(port)
            turns = [(_wrk(port), _ours(capture, port, folder, SATURATING_RPS)) for _ in range(ROUNDS)]
            steady = _ours(capture, port, folder, STEADY_RPS)
        finally:
            server.terminate()
            server.wait()
    theirs = sorted(turn[0] for turn in turns)[ROUNDS // 2]
    ours = sorted(float(turn[1].result["requests_per_s"]) for turn in turns)[ROUNDS // 2]
    p99_us = float(steady.result["lateness_us"]["p99"])
    how = (
        f"median of {ROUNDS} turns of {SECONDS} s, {CONNECTIONS} connections, haproxy on the other processor"
    )
    most = Row("requests/s, one generator process", "1/s", ours, how, "wrk", theirs, ">= 0.85x", False)
    late = Row("lateness p99 at 5,000 requests/s", "us", p99_us, "one run", goal="<= 150")
    show("replay", [replace(most, met=ours >= 0.85 * theirs), replace(late, met=p99_us <= 150)])
    return 0


def _ours(capture: Path, port: int, folder: Path, rate_rps: float) -> RunResult:
    os.sched_setaffinity(0, {int(CLIENT_CPU)})
    options = Options(connections=CONNECTIONS)
    return replay_run(
        capture,
        f"http://127.0.0.1:{port}",
        folder / "out",
        rate_rps=rate_rps,
        duration_s=SECONDS,
        options=options,
    )


def _wrk(port: int) -> float:
    argv = ["taskset", "-c", CLIENT_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    done = subprocess.run([*argv, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said no figure: {done.stdout}")
    return float(found[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("haproxy does not listen")


if __name__ == "__main__":
    run(main)
