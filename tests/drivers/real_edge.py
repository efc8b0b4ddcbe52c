"""A real haproxy between small real backends, for tests."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tasks.drivers.edge import HaproxyEdge, over_tcp
from tasks.operations.haproxy_config import LUA_NAME, MAP_NAME, EdgeDesign, Server, render_edge


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.server.write_s)  # type: ignore[attr-defined]  # set by Side
        shop = getattr(self.server, "shop", None)
        if shop is not None:
            try:
                shop.order(body.decode())
            except Exception as error:  # noqa: BLE001 - any failure is an answer 500, which the tests count
                self.send_response(500)
                self.send_header("Content-Length", str(len(repr(error))))
                self.end_headers()
                self.wfile.write(repr(error).encode())
                return
        self._answer()

    def _answer(self) -> None:
        body = self.server.side.encode()  # type: ignore[attr-defined]  # set by Side
        if self.path == "/headers":
            body = str(self.headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """haproxy resets idle connections when it stops: not an error here."""


class Side:
    """A backend that answers with its side's name."""

    def __init__(self, side: str, port: int = 0) -> None:
        self.server = _Server(("127.0.0.1", port), _Handler)
        self.server.side = side  # type: ignore[attr-defined]  # read by the handler
        self.server.write_s = 0.0  # type: ignore[attr-defined]  # read by the handler
        self.port: int = self.server.server_address[1]
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Running:
    port: int
    edge: HaproxyEdge
    source: Side
    target: Side
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def ask(self, method: str = "GET", path: str = "/", body: bytes | None = None) -> tuple[int, str, float]:
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, text, time.monotonic() - start
        finally:
            connection.close()


@contextlib.contextmanager
def running_edge(
    folder: Path, *, home: str = "source", hold_max_s: int = 30, name: str = "edge"
) -> Iterator[Running]:
    source, target = Side("source"), Side("target")
    port, runtime = free_port(), free_port()
    files = render_edge(
        EdgeDesign(
            name=name, bind=f"127.0.0.1:{port}", runtime=f"ipv4@127.0.0.1:{runtime}", home=home,
            source=(Server("s1", "127.0.0.1", source.port),),
            target=(Server("t1", "127.0.0.1", target.port),),
            folder=str(folder), hold_max_s=hold_max_s,
        )
    )  # fmt: skip
    (folder / "haproxy.cfg").write_text(files.config)
    (folder / LUA_NAME).write_text(files.lua)
    (folder / MAP_NAME).write_text(files.shift_map)
    log = folder / "access.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
        yield Running(port, HaproxyEdge("edge", over_tcp("127.0.0.1", runtime)), source, target, log, process)
    finally:
        process.terminate()
        process.wait(10)
        source.close()
        target.close()
