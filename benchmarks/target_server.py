"""What all load generators ask: haproxy with one thread on a processor of its own, on loopback."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal import packages

SERVER_CPU, CLIENT_CPU = 0, 1
_CONFIG = """
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
BODY_BYTES = 67


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def stop_between(self, from_s: float, to_s: float) -> threading.Thread:
        """From now on in a thread: it answers nobody between these two moments."""

        def hold() -> None:
            time.sleep(from_s)
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(to_s - from_s)
            self.process.send_signal(signal.SIGCONT)

        thread = threading.Thread(target=hold)
        thread.start()
        return thread


@contextmanager
def serving() -> Iterator[Server]:
    """The server for the time of the block. Raises RuntimeError where it does not listen within 5 s."""
    packages.install(packages.missing({"haproxy": "haproxy"}), print)
    with tempfile.TemporaryDirectory() as name:
        port, config = _free_port(), Path(name) / "haproxy.cfg"
        config.write_text(_CONFIG.format(port=port, body="x" * BODY_BYTES))
        process = subprocess.Popen(["taskset", "-c", str(SERVER_CPU), "haproxy", "-db", "-f", str(config)])
        try:
            _wait(port)
            yield Server(f"http://127.0.0.1:{port}/", process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait()


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
