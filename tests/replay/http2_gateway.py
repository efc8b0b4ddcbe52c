"""A real HTTP/2 server: haproxy, alone or before the faulty server of `server.py`, with TLS or without."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
global
    maxconn 4096
    nbthread 1
    tune.h2.max-concurrent-streams {streams}
defaults
    mode http
    timeout client {idle_ms}ms
    timeout connect 5s
    timeout server 30s
frontend http2
    bind 127.0.0.1:{port} {bind}
    http-request return status 200 content-type text/plain string hello if {{ path /hello }}
    http-request return status 503 content-type text/plain string busy if {{ path /busy }}
    {rules}
    default_backend faulty
backend faulty
    server one {backend}
"""
HELLO = b"hello"


@dataclass
class Gateway:
    url: str
    port: int
    process: subprocess.Popen[bytes]
    _arguments: list[str]

    def restart(self) -> None:
        """Killed, and started again."""
        self.process.kill()
        self.process.wait()
        self.process = subprocess.Popen(self._arguments)
        _wait(self.port)

    def stop(self) -> None:
        """It answers nobody any more."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Where it was stopped."""
        self.process.send_signal(signal.SIGCONT)

    def relieve(self) -> None:
        """A second one listens at the same port, and the first one takes leave of its clients (GOAWAY)."""
        leaving, self.process = self.process, subprocess.Popen(self._arguments)
        while _listeners(self.port) < 2:
            time.sleep(0.02)
        leaving.send_signal(signal.SIGUSR1)
        leaving.wait(10)


@contextlib.contextmanager
def gateway(
    folder: Path,
    *,
    backend: str = "127.0.0.1:1",
    certificate: Path | None = None,
    streams: int = 100,
    rules: str = "",
    idle_ms: int = 30_000,
    port: int = 0,
    tls: str = "",
) -> Iterator[Gateway]:
    port = port or free_port()
    bind = f"ssl crt {certificate} alpn h2,http/1.1 {tls}" if certificate else "proto h2"
    file = folder / f"haproxy-{port}.cfg"
    file.write_text(
        _CONFIG.format(port=port, bind=bind, backend=backend, streams=streams, rules=rules, idle_ms=idle_ms)
    )
    arguments = ["haproxy", "-db", "-f", str(file)]
    made = Gateway(f"http://127.0.0.1:{port}", port, subprocess.Popen(arguments), arguments)
    try:
        _wait(port)
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listeners(port: int) -> int:
    ends = f":{port:04X} 00000000:0000 0A "  # nobody at the other end, LISTEN
    return sum(ends in line for line in Path("/proc/net/tcp").read_text().splitlines())


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("haproxy does not listen")
