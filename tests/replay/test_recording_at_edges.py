"""`replay capture` at a real haproxy and a real nginx: what is recorded, what is not, and what it costs."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tasks.replay.capture import read_capture
from tasks.replay.datagrams import drops_of
from tasks.replay.formats.opened import opened
from tasks.replay.selection import Selection
from tests.cli.conftest import Command, command
from tests.replay.real_edges import OURS, Arrived, Shop, ask, running_edge, wait_until
from tests.replay.running_recorder import address, recorder
from tests.replay.test_scrub import JWT, PLANTED, TEST_PERSON

__all__ = ["address", "command"]  # fixtures


def needing(program: str, edge: str) -> Any:
    missing = pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")
    return pytest.param(edge, marks=missing)


EDGES = [needing(name, name) for name in ("haproxy", "nginx")]
FORM, JSON = "application/x-www-form-urlencoded", "application/json; charset=utf-8"


@pytest.fixture
def shop() -> Iterator[Shop]:
    opened_shop = Shop()
    yield opened_shop
    opened_shop.close()


def blocks_of(out: Path) -> bytes:
    with opened(out) as stream:
        return stream.read()


def plain(arrived: Arrived) -> tuple[str, ...]:
    """The replay percent-encodes what may not stand in a path."""
    return (arrived.method, unquote(arrived.path), arrived.body.hex(), arrived.kind)


@pytest.mark.parametrize("edge", [*EDGES, needing("haproxy", OURS)])
def test_what_is_recorded_is_replayed(
    edge: str, tmp_path: Path, shop: Shop, address: str, command: Command
) -> None:
    asked = [
        Arrived("GET", "/", b"", ""),
        Arrived("GET", '/search?q=%C3%A5l&x="a"|{b}', b"", ""),
        Arrived("HEAD", "/product/1", b"", ""),
        Arrived("POST", "/cart", b"product=7&count=2", FORM),
        Arrived("POST", "/checkout", b'{"name": "K\xc3\xa5re",\n "items": [1, 2]}', JSON),
        Arrived("PUT", "/cart/7", b"count=" + b"1" * 4000, FORM),
        Arrived("DELETE", "/cart/7", b"", ""),
        Arrived("POST", "/logout", b"", ""),
    ]
    with running_edge(edge, tmp_path, shop, address) as port, recorder(tmp_path, address, "--bodies") as run:
        for one in asked:
            headers = {"Content-Type": one.kind} if one.kind else {}
            assert ask(port, one.method, one.path.replace('"', "%22"), one.body or None, headers) == 200
        time.sleep(0.3)
        statement = run.stop()
    assert run.process.returncode == 130
    assert (statement["recorded"], statement["lost"]) == (len(asked), 0), statement
    assert (statement["ended"], statement["schema"]) == ("interrupted", "safe-harbor/recording/v1")
    live = list(shop.arrived)
    shop.arrived.clear()
    said = command(
        *("replay", "run", "--capture", run.out, "--target", shop.url, "--speed", 0.2, "--unsafe"),
        *("--out", tmp_path / "replayed", "--json"),
    )
    assert json.loads(said.out)["done"] == len(asked), said
    assert sorted(map(plain, shop.arrived)) == sorted(map(plain, live))
    capture = read_capture(run.out, selection=Selection(unsafe=True, sessions=True))
    assert capture.form == "goreplay"
    assert set(capture.client) == {0}
    assert 0 < max(capture.at_s) < 60
    assert stat.S_IMODE(run.out.stat().st_mode) == 0o600


@pytest.mark.parametrize("edge", EDGES)
def test_http2_is_recorded_as_well(edge: str, tmp_path: Path, shop: Shop, address: str) -> None:
    with (
        running_edge(edge, tmp_path, shop, address, http2=True) as port,
        recorder(tmp_path, address, "--bodies", "--host", "shop.example") as run,
    ):
        url = f"http://127.0.0.1:{port}/cart?a=1"
        curl = ["curl", "-sS", "--http2-prior-knowledge", "-H", "Host: shop.example", url]
        for more in ([], ["-d", "product=7"]):
            subprocess.run([*curl, *more], check=True, capture_output=True)
        time.sleep(0.3)
        run.stop()
    capture = read_capture(run.out, selection=Selection(unsafe=True, hosts=("shop.example",)))
    found = [(each.method, each.path, each.body) for each in capture.targets]
    assert found == [("GET", "/cart?a=1", b""), ("POST", "/cart?a=1", b"product=7")]


@pytest.mark.parametrize("edge", EDGES)
def test_nothing_planted_is_in_any_byte_that_is_written_or_said(
    edge: str, tmp_path: Path, shop: Shop, address: str
) -> None:
    """In every place of a request that can have it; and what cannot be searched through is left out."""
    rights = {"Authorization": PLANTED["authorization"], "Cookie": PLANTED["cookie"], "X-Api-Key": JWT}
    rights["X-Forwarded-For"] = "203.0.113.77, 203.0.113.99"
    planted = [*PLANTED.values(), "hunter2", "kari.nordmann", "ola@fjord.example"]
    with running_edge(edge, tmp_path, shop, address) as port, recorder(tmp_path, address, "--bodies") as run:
        for number, secret in enumerate(planted):
            url = secret.replace(" ", "%20")
            named = "email" if "@" in secret or "%40" in secret else "token"
            headers = rights | {"X-Requested-With": f"{PLANTED['e-mail']} {TEST_PERSON}"}
            ask(port, "GET", f"/a/{number}?{named}={url}&q=lamp", headers=headers)
            form = f"password={secret}&{named}={secret}&note=n{number}".encode()
            ask(port, "POST", f"/f/{number}", form, headers | {"Content-Type": FORM})
            document = json.dumps({"password": secret, named: secret, "note": f"n{number}"}).encode()
            ask(port, "POST", f"/j/{number}", document, headers | {"Content-Type": JSON})
            part = b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + form + b"\r\n--x--"
            ask(port, "POST", "/m", part, headers | {"Content-Type": "multipart/form-data; boundary=x"})
            packed = headers | {"Content-Type": FORM, "Content-Encoding": "gzip"}
            ask(port, "POST", "/z", gzip.compress(form), packed)
        time.sleep(0.3)
        statement = run.stop()
    count = len(planted)
    assert (statement["received"], statement["recorded"]) == (5 * count, 3 * count), statement
    assert statement["left_out"]["body_type"] == statement["left_out"]["body_coded"] == count
    blocks = blocks_of(run.out)
    assert b"note=n3" in blocks
    assert b"POST /j/3 " in blocks
    written = (
        blocks + run.out.read_bytes() + b"".join((tmp_path / n).read_bytes() for n in ("stdout", "stderr"))
    )
    for secret in (*planted, "Nordmann", "bearer-91", "form-data", "203.0.113."):
        assert secret.encode() not in written, secret
        assert secret.lower().encode() not in written.lower(), secret


@pytest.mark.parametrize("edge", EDGES)
def test_rights_do_not_leave_the_edge_and_its_own_log_is_as_it_was(
    edge: str, tmp_path: Path, shop: Shop
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(10)
        address = f"127.0.0.1:{heard.getsockname()[1]}"
        with running_edge(edge, tmp_path, shop, address) as port:
            rights = {"Authorization": "Bearer right-1234", "Cookie": "sid=right-5678"}
            ask(port, "POST", "/cart", b"product=seven", rights | {"Content-Type": FORM})
            datagram = heard.recv(65_536)
        own = tmp_path / ("haproxy.out" if edge == "haproxy" else "ordinary.log")
        assert b"right-" not in datagram
        wait_until(lambda: b"POST /cart HTTP/1.1" in own.read_bytes())
        for told in (b"safe-harbor@", b"product=seven", b"cHJvZHVjdD1zZXZlb"):
            assert told not in own.read_bytes()


@pytest.mark.parametrize("edge", [*EDGES, needing("haproxy", OURS)])
@pytest.mark.parametrize("state", ["gone", "hung"])
def test_a_recorder_that_is_gone_or_hangs_costs_the_customers_nothing(
    edge: str, state: str, tmp_path: Path, shop: Shop, address: str
) -> None:
    """Hung: stopped, with its receive buffer full. One request in hundreds that waited would be seen."""
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(running_edge(edge, tmp_path, shop, address))
        if state == "hung":
            hung = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            hung.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            hung.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        took_s = []
        for number in range(400):
            since = time.monotonic()
            kept.request("POST", f"/cart/{number}", b"product=7", {"Content-Type": FORM})
            answer = kept.getresponse()
            answer.read()
            took_s.append(time.monotonic() - since)
            assert answer.status == 200
        kept.close()
        if state == "hung":
            inode = os.fstat(hung.fileno()).st_ino
            assert drops_of(Path("/proc/net/udp").read_text(), inode) > 100
    assert len(shop.arrived) == 400
    assert sorted(took_s)[200] < 0.05, "half of the requests waited"
    assert max(took_s) < 1.5


def test_a_body_that_comes_slowly_is_waited_for_and_recorded(
    tmp_path: Path, shop: Shop, address: str
) -> None:
    """haproxy waits for it no longer than without us: past its `timeout http-request` too."""
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    with (
        running_edge("haproxy", tmp_path, shop, address) as port,
        recorder(tmp_path, address, "--bodies") as run,
    ):
        with socket.create_connection(("127.0.0.1", port)) as slow:
            head = f"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: 7\r\n\r\n"
            slow.sendall(head.encode() + b"a=1")
            time.sleep(1.6)
            slow.sendall(b"&b=2")
            assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        ask(port, "POST", "/long", b"a" * 50_000, {"Content-Type": FORM})
        time.sleep(0.3)
        statement = run.stop()
    assert (statement["recorded"], statement["left_out"]["body_cut"]) == (1, 1)
    assert b"a=1&b=2" in blocks_of(run.out)
    assert [len(each.body) for each in shop.arrived] == [7, 50_000]
