"""The Prefect server that a run stands on: started here where no PREFECT_API_URL names one.

Traps that are built in (see runbooks/orchestrator.md): analytics and the second UI call outside and stay off;
flow heartbeats cost a second each and stay off for flows that run in this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.memory import ARENAS
from tasks.drivers.errors import ServiceFailed

START_TIMEOUT_S = 120.0  # 3-9 s is usual; the first start on a slow disk takes far longer
STOP_TIMEOUT_S = 15.0
DEFAULT_PORT = 4200


NOTE = "server.json"  # in its home: which process serves what, for whoever is told its URL alone


@dataclass(frozen=True)
class Server:
    """A server that answers. `pid` is None where we did not start it."""

    api_url: str
    pid: int | None

    @property
    def ui_url(self) -> str:
        """Where a person looks."""
        return self.api_url.removesuffix("/api")


def settings(home: Path) -> dict[str, str]:
    """The environment of the server and of this process."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # A refusal is an exception for Prefect, which would print its traceback; we say it ourselves.
        "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "CRITICAL"),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "MALLOC_ARENA_MAX": str(ARENAS),
    }


@contextlib.contextmanager
def server(home: Path) -> Iterator[Server]:
    """A Prefect server for as long as the block runs; one that PREFECT_API_URL names is used as it is.

    Of such a one the process is known where it was started in this home, as that of a site that is kept.

    Raises ServiceFailed where it does not answer within START_TIMEOUT_S.
    """
    named = os.environ.get("PREFECT_API_URL")
    if named:
        yield Server(named, _noted(home, named))
        return
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(settings(home))
    port = free_port()
    api_url = f"http://127.0.0.1:{port}/api"
    log_path = home / "server.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            # The server does not outlive a killed run.
            ["setpriv", "--pdeathsig", "TERM", "--", *server_argv(port)],
            env={**os.environ, "PREFECT_SERVER_UI_API_URL": api_url},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us: the server must outlive our cleaning up
        )
    try:
        wait_until_healthy(api_url, lambda: process.poll() is None, log_path)
        started = Server(api_url, process.pid)
        note(home, started)
        os.environ["PREFECT_API_URL"] = api_url
        yield started
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        (home / NOTE).unlink(missing_ok=True)
        _stop(process)


def note(home: Path, server: Server) -> None:
    """Write down in its home which process a server is."""
    (home / NOTE).write_text(json.dumps({"pid": server.pid, "api_url": server.api_url}))


def _noted(home: Path, api_url: str) -> int | None:
    """The process that was noted for this URL, if it still is a Prefect server."""
    file = home / NOTE
    if not file.exists():
        return None
    noted = json.loads(file.read_text())
    command = Path(f"/proc/{noted['pid']}/cmdline")
    if noted["api_url"] != api_url or not command.exists() or b"prefect" not in command.read_bytes():
        return None
    return int(noted["pid"])


@dataclass(frozen=True)
class Usage:
    """What a process has used since its start: CPU seconds, and resident memory at its peak."""

    cpu_s: float
    peak_rss_mb: float


def usage_of(pid: int) -> Usage:
    """Read from /proc (proc(5)). Raises FileNotFoundError where the process is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime, stime
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), peak_kib * 1024 / 1e6)


@contextlib.contextmanager
def without_heartbeats() -> Iterator[None]:
    """Run flows without their heartbeat threads, whose join costs a second a flow."""
    from prefect.settings import temporary_settings  # 3.6 s to import: only where a flow runs

    with temporary_settings({"flows.heartbeat_frequency": None}):
        yield


def server_argv(port: int) -> list[str]:
    """The command that serves API and UI on 127.0.0.1."""
    return [
        *(sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"),
        *("--port", str(port)),
    ]


def free_port() -> int:
    """Prefect's usual port where it is free, or any other."""
    for wanted in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise ServiceFailed("prefect server", "no free port on 127.0.0.1", "end what holds the ports")


def wait_until_healthy(api_url: str, alive: Callable[[], bool], log_path: Path) -> None:
    """Wait until the server answers. Raises ServiceFailed where it ends, or START_TIMEOUT_S is over."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not alive():
            tail = log_path.read_text(errors="replace")[-800:]
            raise ServiceFailed("prefect server", f"ended at once: {tail}", f"see {log_path}")
        try:
            with urllib.request.urlopen(f"{api_url}/health", timeout=2) as answer:  # noqa: S310 - our own http URL
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ServiceFailed("prefect server", f"no answer within {START_TIMEOUT_S:.0f} s", f"see {log_path}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
