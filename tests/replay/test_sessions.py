"""Sessions against a real server that counts connections and gives cookies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flows.cli.answers import summary
from inventory.errors import BadInput
from tasks.replay.capture import read_capture
from tasks.replay.clients import client_of
from tasks.replay.formats.entry import Entry
from tasks.replay.run import Options, RunResult, replay_run
from tasks.replay.selection import Selection
from tests.replay.rude import RudeServer

DATA = Path(__file__).parents[1] / "data" / "captures"
SESSIONS = Selection(sessions=True)


class Seen(NamedTuple):
    port: int  # of the client: its connection
    path: str
    client: str  # the query
    cookie: str


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Shop

    def do_GET(self) -> None:
        path, _, client = self.path.partition("?")
        self.server.seen.append(Seen(self.client_address[1], path, client, self.headers.get("Cookie", "")))
        if path == "/slow":
            time.sleep(0.15)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        if path in ("/login", "/renew"):
            self.send_header("Set-Cookie", f"sid={client}{next(self.server.number)}; Path=/; HttpOnly")
            self.send_header("Set-Cookie", "evil=1; Domain=other.example")
        if path == "/leave":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: Any) -> None:
        """The test looks at `seen`."""


class Shop(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.number = count(1)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        yield server
        server.shutdown()


def log_of(folder: Path, *requests: tuple[str, str]) -> Path:
    """`requests` are (client, path) in their order."""
    log = folder / "capture.log"
    addresses: dict[str, int] = {}
    log.write_text(
        "".join(
            f"203.0.113.{addresses.setdefault(client, len(addresses))} - - [04/Oct/2015:13:55:36 +0200] "
            f'"GET {path}?{client} HTTP/1.1" 200 5 "-" "-"\n'
            for client, path in requests
        )
    )
    return log


def asked(shop: Shop, log: Path, rate_rps: float = 100, connections: int = 8) -> RunResult:
    return replay_run(
        log,
        f"http://127.0.0.1:{shop.server_address[1]}",
        log.parent / "out",
        rate_rps=rate_rps,
        selection=SESSIONS,
        options=Options(connections=connections, timeout_s=2),
    )


def test_each_client_keeps_its_connection_and_its_cookies(shop: Shop, tmp_path: Path) -> None:
    walk = ["/", "/login", "/cart", "/cart", "/renew", "/cart", "/"]
    result = asked(shop, log_of(tmp_path, *((client, path) for path in walk for client in "abc"))).result
    assert result["reconciliation"] == "21 records = 21 done + 0 errors + 0 skipped + 0 unsent"
    assert result["connections_opened"] == 3
    for client in "abc":
        mine = [each for each in shop.seen if each.client == client]
        assert [each.path for each in mine] == walk
        assert len({each.port for each in mine}) == 1
        first, renewed = mine[2].cookie, mine[5].cookie
        assert [each.cookie for each in mine] == ["", "", first, first, first, renewed, renewed]
        assert first.startswith(f"sid={client}")
        assert renewed.startswith(f"sid={client}")
        assert first != renewed
    told = result["sessions"]
    assert (told["clients"], told["cookies_set"], told["cookies_refused"]) == (3, 6, 6)
    assert told["closed_for_others"] == 0
    assert result["capture"]["selection"]["sessions"] is True
    waited = f"sessions  3 clients, {told['waited']} requests waited for their client's connection"
    assert waited in summary(result, tmp_path)


def test_a_client_waits_for_its_own_connection_only(shop: Shop, tmp_path: Path) -> None:
    log = log_of(tmp_path, ("a", "/slow"), ("a", "/"), ("b", "/"), ("a", "/"))
    run = asked(shop, log, rate_rps=1000)
    assert run.result["done"] == 4
    assert run.result["backlog_max"] == 0  # it is the client's own doing, not the generator's
    assert run.result["sessions"]["waited"] == 2
    assert run.result["connections_opened"] == 2
    response_s = (run.records.done_s - run.records.due_s).tolist()
    assert min(response_s[0], response_s[1], response_s[3]) > 0.14
    assert response_s[2] < 0.14
    assert [each.path for each in shop.seen if each.client == "a"] == ["/slow", "/", "/"]


def test_more_clients_than_connections_take_turns_and_keep_their_cookies(shop: Shop, tmp_path: Path) -> None:
    log = log_of(tmp_path, *((client, path) for path in ("/login", "/cart", "/cart") for client in "abcdef"))
    result = asked(shop, log, rate_rps=40, connections=2).result
    assert result["done"] == 18
    assert result["sessions"]["closed_for_others"] >= 10
    assert all(each.cookie.startswith(f"sid={each.client}") for each in shop.seen if each.path == "/cart")


def test_clients_that_find_no_connection_are_backlog(shop: Shop, tmp_path: Path) -> None:
    log = log_of(tmp_path, ("a", "/slow"), ("b", "/slow"), ("c", "/slow"), ("c", "/"))
    result = asked(shop, log, rate_rps=1000, connections=1).result
    assert result["done"] == 4
    assert result["backlog_max"] == 3
    assert "backlog of 3 requests at the connection cap: raise --connections" in result["reasons"]


def test_a_connection_that_the_target_ends_is_replaced(shop: Shop, tmp_path: Path) -> None:
    log = log_of(tmp_path, ("a", "/login"), ("a", "/leave"), ("a", "/cart"), ("a", "/cart"))
    result = asked(shop, log, rate_rps=1000).result
    assert (result["done"], result["connections_opened"]) == (4, 2)
    assert [bool(each.cookie) for each in shop.seen] == [False, True, True, True]


def test_a_target_that_resets_or_is_gone(tmp_path: Path) -> None:
    def run(*paths: str) -> dict[str, Any]:
        with RudeServer() as server:
            log = tmp_path / "rude.json"
            log.write_text(
                "".join(
                    json.dumps({"msec": n, "request": f"GET {path} HTTP/1.1", "remote_addr": client}) + "\n"
                    for n, (client, path) in enumerate((c, p) for p in paths for c in "ab")
                )
            )
            url, options = f"http://127.0.0.1:{server.port}", Options(connections=1, timeout_s=1)
            out = tmp_path / "out"
            result = replay_run(log, url, out, rate_rps=50, selection=SESSIONS, options=options).result
            server.shutdown()
        return result

    assert run("/reset", "/well")["faults"] == {"reset": 2}
    assert run("/quiet-close", "/well")["done"] == 4
    hung = run("/too-short", "/well")
    assert hung["done"] + hung["errors"] + hung["unsent"] == 4
    assert (
        hung["faults"]["timeout"] >= 1
    )  # and the others got the connection, whatever was left of their time
    assert hung["seconds"] < 2


def test_recorded_cookies_are_never_sent(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    lines = (
        {"msec": n, "request": f"GET /cart?{c} HTTP/1.1", "remote_addr": "x", "http_cookie": f"sid={c}"}
        for n, c in enumerate("abab")
    )
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    unscrubbed = Selection(sessions=True, scrub=False)
    url = f"http://127.0.0.1:{shop.server_address[1]}"
    result = replay_run(log, url, tmp_path / "out", rate_rps=100, selection=unscrubbed).result
    assert {each.cookie for each in shop.seen} == {""}
    assert result["sessions"]["clients"] == 2  # by their cookie, not their address
    assert len({each.port for each in shop.seen}) == 2


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ((), "192.0.2.1"),
        ((("Cookie", ""),), "192.0.2.1"),
        ((("cookie", "theme=dark; PHPSESSID=7; _ga=3"),), "PHPSESSID=7"),
        ((("Cookie", "theme=dark; _ga=3"),), "theme=dark; _ga=3"),
    ],
)
def test_who_a_client_is(headers: tuple[tuple[str, str], ...], client: str) -> None:
    assert client_of(Entry(0.0, "GET", "/", headers=headers, client="192.0.2.1")) == client


@pytest.mark.parametrize("name", ["shop.log", "nginx.json", "alb.log", "shop.har", "shop.gor"])
def test_captures_that_tell_their_clients(name: str) -> None:
    capture = read_capture(DATA / name, selection=SESSIONS)
    assert len(capture.client) == len(capture)
    assert not read_capture(DATA / name).client


@pytest.mark.parametrize("name", ["k6.json", "vegeta.txt", "vegeta.json"])
def test_captures_of_nobody(name: str) -> None:
    with pytest.raises(
        BadInput, match=rf"{name}:\d+: no client in it, neither an address nor a cookie; --sess"
    ):
        read_capture(DATA / name, selection=SESSIONS)
