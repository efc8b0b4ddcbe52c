"""Other load generators, from their packages, each told to ask one address and read back for what it reports.

The Go ones are built by `go install` at a pinned version (its checksum database vouches for the source) into
build/bench/peers/go; wrk is Debian's; Locust has an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from rehearsal import packages
from tasks.drivers.errors import OutsideError

GO_HOME = peers.HOME.parent / "go"
_GO = {
    "vegeta": "github.com/tsenart/vegeta/v12@v12.13.0",
    "hey": "github.com/rakyll/hey@v0.1.5",
    "k6": "go.k6.io/k6@v1.8.1",
    "goreplay": "github.com/buger/goreplay@v1.3.2",
}
_GOREPLAY_END = "\n\U0001f435\U0001f648\U0001f649\n"  # what parts the records of its files
_AT_ONCE_RPS = 100_000  # goreplay has no "as fast as it can": a file of far more than it can (about 1,000/s)
_K6 = """
import http from 'k6/http';
export const options = {{
  discardResponseBodies: true,
  summaryTrendStats: ['p(99)'],
  scenarios: {{ all: {scenario} }},
}};
export default function () {{ http.get('{url}'); }}
export function handleSummary(data) {{ return {{ stdout: JSON.stringify(data) }}; }}
"""
_LOCUST = """
from locust import FastHttpUser, constant_throughput, task
class Customer(FastHttpUser):
    {wait}
    @task
    def ask(self):
        self.client.get("/")
"""


@dataclass(frozen=True)
class Load:
    """What is asked of a generator. `rate_rps` None is as fast as it can."""

    url: str
    connections: int
    seconds: int
    rate_rps: int | None = None


@dataclass(frozen=True)
class Told:
    """What it reports. `p99_ms` is what its own report calls the 99th percentile of latency."""

    requests_per_s: float
    p99_ms: float


def install() -> dict[str, Callable[[Load, int], Told]]:
    """The generators by name and version, each a function of a load and the processor that it may use.

    Raises OutsideError where one cannot be built.
    """
    home = GO_HOME.resolve()
    packages.install(packages.missing({"wrk": "wrk", "libpcap-dev": "pcap-config"}), print)
    for name, module in _GO.items():
        if not (home / name).exists():
            sys.stderr.write(f"building {module} into {GO_HOME}\n")
            _run(["go", "install", module], {"GOBIN": str(home)})
    python = peers.install()
    return {
        "wrk": _wrk,
        f"vegeta {_GO['vegeta'].partition('@v')[2]}": _vegeta,
        f"hey {_GO['hey'].partition('@v')[2]}": _hey,
        f"k6 {_GO['k6'].partition('@v')[2]}": _k6,
        f"goreplay {_GO['goreplay'].partition('@v')[2]}": _goreplay,
        peers.version("locust"): lambda load, cpu: _locust(python, load, cpu),
    }


def _wrk(load: Load, cpu: int) -> Told:
    """A closed loop: it has no rate."""
    said = _pinned(
        cpu,
        [
            "wrk",
            "-t1",
            f"-c{load.connections}",
            f"-d{load.seconds}s",
            "--latency",
            "--timeout",
            "10s",
            load.url,
        ],
    )
    return Told(_number(r"Requests/sec:\s+([\d.]+)", said), _wrk_ms(said))


def _vegeta(load: Load, cpu: int) -> Told:
    """Its workers are as many as our connections: with no bound it opens one for each request that waits."""
    argv: list[str | Path] = [
        GO_HOME / "vegeta",
        "attack",
        f"-rate={load.rate_rps or 0}",
        f"-duration={load.seconds}s",
    ]
    workers = [f"-workers={load.connections}", f"-max-workers={load.connections}"]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.bin"
        more: list[str | Path] = [*workers, f"-connections={load.connections}", f"-output={results}"]
        _pinned(cpu, [*argv, *more], f"GET {load.url}\n")
        said = json.loads(_run([GO_HOME / "vegeta", "report", "-type=json", results]))
    return Told(said["throughput"], said["latencies"]["99th"] / 1e6)


def _hey(load: Load, cpu: int) -> Told:
    paced = [] if load.rate_rps is None else ["-q", f"{load.rate_rps / load.connections:g}"]
    said = _pinned(
        cpu, [GO_HOME / "hey", "-z", f"{load.seconds}s", "-c", str(load.connections), *paced, load.url]
    )
    return Told(_number(r"Requests/sec:\s+([\d.]+)", said), 1000 * _number(r"99%+ in ([\d.]+) secs", said))


def _k6(load: Load, cpu: int) -> Told:
    users, duration = load.connections, f"{load.seconds}s"
    scenario: dict[str, object] = {"executor": "constant-vus", "vus": users, "duration": duration}
    if load.rate_rps is not None:
        scenario = {
            "executor": "constant-arrival-rate",
            "rate": load.rate_rps,
            "duration": duration,
            "preAllocatedVUs": users,
            "maxVUs": users,
        }
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.js"
        script.write_text(_K6.format(scenario=json.dumps(scenario), url=load.url))
        said = json.loads(_pinned(cpu, [GO_HOME / "k6", "run", "--quiet", "--no-usage-report", script]))
    metrics = said["metrics"]
    return Told(metrics["http_reqs"]["values"]["rate"], metrics["http_req_duration"]["values"]["p(99)"])


def _goreplay(load: Load, cpu: int) -> Told:
    """It replays a file by the times in it; its figures are those of the responses that it tracks."""
    rate_rps = load.rate_rps or _AT_ONCE_RPS
    host = load.url.removeprefix("http://").rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.gor", Path(folder) / "answered.gor"
        with asked.open("w") as file:
            for number in range(rate_rps * load.seconds):
                due_ns = number * 1_000_000_000 // rate_rps
                file.write(
                    f"1 {number:024x} {due_ns} 0\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\n{_GOREPLAY_END}"
                )
        # It ends by itself a while after the file's last request; where it is behind, when the time is over.
        after = ["-exit-after", f"{load.seconds + (0 if load.rate_rps is None else 2)}s"]
        to = ["-output-http", load.url, "-output-http-workers", str(load.connections)]
        argv: list[str | Path] = [GO_HOME / "goreplay", "-input-file", asked, "-output-file", answered]
        _pinned(cpu, [*argv, "-output-file-append", "-output-http-track-response", *to, *after])
        heads = [record.split("\n", 1)[0].split() for record in answered.read_text().split(_GOREPLAY_END)]
    waits_ms = sorted(int(head[3]) / 1e6 for head in heads if head[:1] == ["3"])  # 3: a replayed response
    if not waits_ms:
        raise OutsideError("goreplay", "no request was answered")
    return Told(len(waits_ms) / load.seconds, waits_ms[int(0.99 * len(waits_ms))])


def _locust(python: Path, load: Load, cpu: int) -> Told:
    wait = (
        ""
        if load.rate_rps is None
        else f"wait_time = constant_throughput({load.rate_rps / load.connections})"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.py"
        file.write_text(_LOCUST.format(wait=wait))
        users = ["-u", str(load.connections), "-r", str(load.connections), "-t", f"{load.seconds}s"]
        argv: list[str | Path] = [
            python / "locust",
            "-f",
            file,
            "--headless",
            "--json",
            "--loglevel",
            "ERROR",
            *users,
        ]
        rows = json.loads(_pinned(cpu, [*argv, "-H", load.url.rstrip("/")]))
    if not rows:
        raise OutsideError("locust", "no request was answered")
    said = rows[0]
    return Told(
        said["num_requests"] / load.seconds, _percentile(said["response_times"], said["num_requests"])
    )


def _percentile(counts: dict[str, int], requests: int) -> float:
    """The 99th of a table of milliseconds and how many requests took them."""
    seen = 0
    for milliseconds, count in sorted((float(key), value) for key, value in counts.items()):
        seen += count
        if seen >= 0.99 * requests:
            return milliseconds
    raise OutsideError("locust", "reports no response time")


def _wrk_ms(said: str) -> float:
    value, unit = _found(r"99%\s+([\d.]+)(us|ms|s)\b", said).groups()
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _number(pattern: str, said: str) -> float:
    return float(_found(pattern, said)[1])


def _found(pattern: str, said: str) -> re.Match[str]:
    found = re.search(pattern, said)
    if found is None:
        raise OutsideError("a load generator", f"does not say {pattern!r}: {said[-500:]}")
    return found


def _pinned(cpu: int, argv: Sequence[str | Path], stdin: str = "") -> str:
    return _run(["taskset", "-c", str(cpu), *argv], stdin=stdin)


def _run(argv: Sequence[str | Path], more: dict[str, str] | None = None, stdin: str = "") -> str:
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, check=False, env={**os.environ, **(more or {})}
    )
    if done.returncode:
        raise OutsideError(str(argv[-1]), f"ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout
