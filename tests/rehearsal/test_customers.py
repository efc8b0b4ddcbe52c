import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from rehearsal.customer_http import Answer, Connection, Connections, RequestFailed, Resolution, Resolver
from rehearsal.customer_mix import SHARES, Mix
from rehearsal.customers import Crowd, order_in

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]


def saying(*texts: bytes) -> Serve:
    """Answers each request with the next text, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for text in texts:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(text)
            await writer.drain()
        writer.close()

    return serve


class Fixed(Resolver):
    def __init__(self, ttl_s: float = 60.0) -> None:
        super().__init__("127.0.0.1", 1, "shop.example")
        self.ttl_s = ttl_s

    async def _ask(self) -> Resolution:
        self.asked += 1
        return Resolution("127.0.0.1", time.monotonic() + self.ttl_s)


async def ask_once(text: bytes) -> tuple[Answer, bool]:
    async with server(saying(text)) as port:
        connection = await Connection.open(Resolution("127.0.0.1", time.monotonic() + 60), port)
        try:
            answer = await connection.ask("GET", "/", "shop.example")
            return answer, connection.reusable
        finally:
            connection.close()


@pytest.mark.parametrize(
    ("text", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Shop-Site: aws\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\r\nX-Shop-Site: aws\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"3;x=y\r\nabc\r\n0\r\n\r\n", b"abc", True),
        (b"HTTP/1.1 503 No\r\nX-Shop-Site: aws\r\nConnection: close\r\n\r\nsorry", b"sorry", False),
        (b"HTTP/1.1 204 No Content\r\nX-Shop-Site: aws\r\n\r\n", b"", True),
    ],
)  # fmt: skip
def test_an_answer_is_read_whole(text: bytes, body: bytes, reusable: bool) -> None:
    answer, again = asyncio.run(ask_once(text))
    assert (answer.body, answer.site, again) == (body, "aws", reusable)


@pytest.mark.parametrize(
    "text",
    [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"nonsense\r\n\r\n"],
)
def test_half_an_answer_is_a_failure(text: bytes) -> None:
    with pytest.raises(RequestFailed):
        asyncio.run(ask_once(text))


def test_a_connection_ends_with_its_address() -> None:
    async def run() -> tuple[int, int]:
        ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        async with server(saying(ok, ok, ok)) as port:
            resolver = Fixed(ttl_s=0.2)
            connections = Connections(resolver, port)
            for pause_s in (0.0, 0.3, 0.0):
                connection = await connections.take()
                await connection.ask("GET", "/", "shop.example")
                connections.give_back(connection)
                await asyncio.sleep(pause_s)
            connections.close()
            return resolver.asked, connections.opened

    assert asyncio.run(run()) == (2, 2)


def test_a_mix_never_checks_out_an_unconfirmed_cart_and_never_repeats_a_token() -> None:
    mix = Mix(1, "run")
    requests = []
    for _ in range(5000):
        request = mix.next()
        requests.append(request)
        if request.path == "/cart" and len(requests) % 2:
            mix.confirmed(request.session)
    confirmed = {r.session for n, r in enumerate(requests, 1) if r.path == "/cart" and n % 2}
    checkouts = [request for request in requests if request.token]
    assert len(checkouts) > 100
    assert len({request.token for request in checkouts}) == len(checkouts)
    assert {request.session for request in checkouts} <= confirmed
    assert sum(SHARES.values()) == 100


def test_every_failure_is_in_the_log_and_none_is_asked_again() -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"Content-Length: " in head:
                    await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                asked += 1
                if asked % 10 == 0:
                    break
                status = b"500 No" if asked % 10 == 5 else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\nX-Shop-Site: aws\r\n\r\nok")
        writer.close()

    async def run() -> tuple[Crowd, list[dict[str, object]]]:
        log = io.StringIO()
        async with server(serve) as port:
            crowd = Crowd(Fixed(), port, "shop.example", Mix(1, "run"), log)
            await crowd.visit(rps=400, seconds=0.5)
        return crowd, [json.loads(line) for line in log.getvalue().splitlines()]

    crowd, entries = asyncio.run(run())
    summary = crowd.summary()
    assert len(entries) == asked == summary["requests"] == 200
    failed = [entry for entry in entries if entry["status"] in (0, 500)]
    assert summary["failed"] == len(failed) == 40
    assert all(entry.get("error") for entry in failed if entry["status"] == 0)


def test_time_counts_from_the_intended_start() -> None:
    """A server that stalls once makes every request of the stall slow, not only the first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def run() -> list[float]:
        log = io.StringIO()
        async with server(serve) as port:
            crowd = Crowd(Fixed(), port, "shop.example", Mix(1, "run"), log)
            asyncio.get_running_loop().call_later(0.1, time.sleep, 0.3)  # the client itself is late
            await crowd.visit(rps=100, seconds=0.6)
        return [json.loads(line)["ms"] for line in log.getvalue().splitlines()]

    times = asyncio.run(run())
    assert len(times) == 60
    assert sum(ms > 100 for ms in times) >= 15


@pytest.mark.parametrize(
    ("status", "body", "order"),
    [
        (201, b'{"order":5,"token":"t"}', 5),
        (200, b'{"order":5,"token":"t"}', 5),
        (503, b'{"order":5,"token":"t"}', None),
        (201, b"<html>", None),
        (201, b'{"order":"5"}', None),
    ],
)
def test_an_order_is_acknowledged_by_its_number_only(status: int, body: bytes, order: int | None) -> None:
    assert order_in(Answer(status, "aws", body)) == order
