"""A real haproxy and a real nginx before a small shop, with the lines that `replay capture --show` prints."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tasks.operations.haproxy_config import LUA_NAME, MAP_NAME, EdgeDesign, Server, render_edge
from tasks.replay.edges.catalog import edge_named
from tests.drivers.real_edge import free_port

OURS = "safe-harbor"  # the haproxy of a site that has moved


@dataclass(frozen=True)
class Arrived:
    """A request as the shop got it."""

    method: str
    path: str
    body: bytes
    kind: str


class Shop:
    """Answers everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kind = self.headers.get("Content-Type") or ""
                if self.path != "/healthz":  # the edge itself asks that
                    shop.arrived.append(Arrived(self.command, self.path, body, kind))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)

        class Threads(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """The edge resets idle connections when it stops."""

        self._server = Threads(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def running_edge(name: str, folder: Path, shop: Shop, address: str, http2: bool = False) -> Iterator[int]:
    """The port that its customers reach, in HTTP/2 without TLS where asked for. `ordinary.log` (of haproxy
    `haproxy.out`) is what the site itself logs, as it did before."""
    port = free_port()
    lines = edge_named("haproxy" if name == OURS else name).lines(address, True)
    argv = _CONFIGURED[name](folder, port, shop.port, lines, http2)
    with (folder / f"{name}.out").open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _answers(port), lambda: (folder / f"{name}.out").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(10)


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def wait_until(holds: Callable[[], bool], why: Callable[[], str] = str, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _haproxy(folder: Path, port: int, shop: int, lines: str, http2: bool) -> list[str]:
    """Its own log goes to standard output, inherited by the frontend from `defaults`."""
    (folder / "haproxy.cfg").write_text(
        f"""
global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    timeout http-request 1s
frontend shop
    bind 127.0.0.1:{port} {"proto h2" if http2 else ""}
{lines}
    default_backend shop
backend shop
    server shop 127.0.0.1:{shop}
"""
    )
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def _nginx(folder: Path, port: int, shop: int, lines: str, http2: bool) -> list[str]:
    first, second = lines.split("\n\n", 1)
    temporary = "\n".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    {temporary}
{first}
    server {{
        listen 127.0.0.1:{port} {"http2" if http2 else ""};
{second}
        access_log {folder}/ordinary.log;
        location / {{ proxy_pass http://127.0.0.1:{shop}; }}
    }}
}}
"""
    )
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _ours(folder: Path, port: int, shop: int, lines: str, http2: bool) -> list[str]:
    """The edge that `prepare` and `cutover` write."""
    server = (Server("shop", "127.0.0.1", shop),)
    bind, runtime = f"127.0.0.1:{port}", f"ipv4@127.0.0.1:{free_port()}"
    files = render_edge(EdgeDesign("edge", bind, server, server, "source", runtime, str(folder)))
    (folder / LUA_NAME).write_text(files.lua)
    (folder / MAP_NAME).write_text(files.shift_map)
    assert f"    bind {bind}\n" in files.config
    config = files.config.replace(f"    bind {bind}\n", f"    bind {bind}\n{lines}\n")
    (folder / "haproxy.cfg").write_text(config)
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


_CONFIGURED = {"haproxy": _haproxy, "nginx": _nginx, OURS: _ours}
