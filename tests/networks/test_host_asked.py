"""The questions of a node probe, put to a host's own bash: this machine plays the host."""

from __future__ import annotations

import contextlib
import http.server
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from inventory.models.command import Shellable
from tasks.drivers.errors import Unasked
from tasks.drivers.ports import Output
from tasks.facts.probe import NAMESPACE, PORT, parse_dialled, parse_got
from tasks.networks.host_asked import HostAsked, node_probes
from tests.networks.cluster import MemoryKube


class ThisMachine:
    name = "n1"

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        argv = ["env", "LC_ALL=C.UTF-8", "sh", "-c", command.render()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
        return Output(done.returncode, done.stdout, done.stderr, 0.0)


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/proxyMode" else 503)
        self.end_headers()
        self.wfile.write(b"iptables" if self.path == "/proxyMode" else b"two\r\n\r\nparts")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is shown."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


HOSTS: Any = {"n1": ThisMachine()}
KUBE = HostAsked(MemoryKube(), HOSTS)
POD = node_probes(HOSTS)["n1"]


def test_a_get_answers_as_the_probe_does(port: int) -> None:
    said = KUBE.execute(NAMESPACE, POD, ["/probe", "get", f"http://127.0.0.1:{port}/proxyMode"])
    assert parse_got(said.stdout) == parse_got('{"status": 200, "body": "iptables", "error": ""}')
    ill = parse_got(
        KUBE.execute(NAMESPACE, POD, ["/probe", "get", f"http://127.0.0.1:{port}/healthz"]).stdout
    )
    assert (ill.status, ill.body) == (503, "two\n\nparts")


def test_a_get_of_nothing_says_why() -> None:
    got = parse_got(
        KUBE.execute(NAMESPACE, POD, ["/probe", "get", f"http://127.0.0.1:{closed_port()}/"]).stdout
    )
    assert got.status == 0
    assert "Connection refused" in got.error


def test_addresses_are_dialled_all_at_once(port: int) -> None:
    closed = closed_port()
    words = ["/probe", "tcp", f"127.0.0.1:{port}", f"127.0.0.1:{closed}"]
    results = {each.address: each for each in parse_dialled(KUBE.execute(NAMESPACE, POD, words).stdout)}
    assert results[f"127.0.0.1:{port}"].ok
    assert results[f"127.0.0.1:{port}"].ms > 0
    assert not results[f"127.0.0.1:{closed}"].ok
    assert "Connection refused" in results[f"127.0.0.1:{closed}"].error


@pytest.mark.parametrize(
    "words",
    [
        ["udp", "10.0.0.1:53"],
        ["hits", "-n", "16", "http://10.96.0.1/"],
        ["tcp", f"10.0.0.1:{PORT}"],  # a probe's own port, behind which nothing listens
        ["bulk", "-bytes", "100", "http://10.96.0.1/"],
    ],
)
def test_what_needs_another_probe_is_not_asked(words: list[str]) -> None:
    with pytest.raises(Unasked):
        KUBE.execute(NAMESPACE, POD, ["/probe", *words])
    with pytest.raises(Unasked):
        KUBE.execute(NAMESPACE, "another-pod", ["/probe", "get", "http://127.0.0.1/"])


def test_a_word_is_never_code(tmp_path: Any) -> None:
    mark = tmp_path / "mark"
    KUBE.execute(NAMESPACE, POD, ["/probe", "get", f"http://127.0.0.1:1/$(touch {mark})"])
    KUBE.execute(NAMESPACE, POD, ["/probe", "tcp", f"$(touch {mark}):80", f"`touch {mark}`:81"])
    assert not mark.exists()


def test_nothing_is_written_through_it() -> None:
    with pytest.raises(Unasked):
        KUBE.apply({"kind": "Namespace", "metadata": {"name": "x"}})
    with pytest.raises(Unasked):
        KUBE.delete("v1", "Namespace", "x")


def test_an_address_that_is_silent_is_given_up_and_nothing_is_left_running(port: int) -> None:
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        silent = full.getsockname()[1]
        for _ in range(4):  # the queue of one is full: further connections are not answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", silent))
        words = ["/probe", "tcp", f"127.0.0.1:{silent}", f"127.0.0.1:{port}"]
        started = time.monotonic()
        results = {each.address: each for each in parse_dialled(KUBE.execute(NAMESPACE, POD, words).stdout)}
        assert 1.5 < time.monotonic() - started < 10
    assert results[f"127.0.0.1:{port}"].ok
    assert results[f"127.0.0.1:{silent}"].error == "timed out"
    deadline = time.monotonic() + 5
    while (left := still_dialling(silent)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def still_dialling(port: int) -> list[str]:
    """Processes that were told to dial it."""
    lines = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in lines if f"127.0.0.1:{port}" in line]
