"""The customers' own HTTP/1.1 and DNS: keep-alive connections to whatever address the shop's name has now.

It shares no code with the replay engine, so that neither can hide the other's mistake. Nothing is retried.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

MAX_HEADER_BYTES = 32_768
CONNECT_TIMEOUT_S = 5.0
NO_BODY = (204, 304)


class RequestFailed(Exception):
    """A request that got no whole answer; the text says why."""


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    site: str  # the header X-Shop-Site
    body: bytes


@dataclass(frozen=True)
class Resolution:
    """The shop's address, as the authoritative server gave it, and until when it may be used (monotonic)."""

    address: str
    until: float


class Resolver:
    """Asks the authoritative server, and again when the TTL is over; one question at a time.

    Where the server does not answer, the last address is kept for a second more and the failure counted.
    """

    def __init__(self, server: str, port: int, name: str) -> None:
        self._server, self._port, self._name = server, port, name
        self._now: Resolution | None = None
        self._lock = asyncio.Lock()
        self.asked = 0
        self.failed = 0

    async def current(self) -> Resolution:
        """The resolution that is valid now. Raises RequestFailed where there never was one."""
        if self._now is not None and time.monotonic() < self._now.until:
            return self._now
        async with self._lock:
            if self._now is None or time.monotonic() >= self._now.until:
                self._now = await self._ask()
            return self._now

    async def _ask(self) -> Resolution:
        query = dns.message.make_query(f"{self._name}.", "A")
        self.asked += 1
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                query, self._server, timeout=2.0, port=self._port
            )
        except (dns.exception.DNSException, OSError) as error:
            self.failed += 1
            if self._now is not None:
                return Resolution(self._now.address, time.monotonic() + 1.0)
            raise RequestFailed(f"the name server does not answer: {error}") from error
        for record in answer.answer:
            if record.rdtype == dns.rdatatype.A:
                return Resolution(record[0].to_text(), time.monotonic() + record.ttl)
        raise RequestFailed(f"{self._name} has no address")


class Connection:
    """One keep-alive connection; it belongs to the resolution it was made with."""

    def __init__(
        self, resolution: Resolution, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.resolution = resolution
        self._reader, self._writer = reader, writer
        self.reusable = True

    @classmethod
    async def open(cls, resolution: Resolution, port: int) -> Connection:
        """Connect. Raises RequestFailed."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    resolution.address, port, limit=MAX_HEADER_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise RequestFailed(f"connecting to {resolution.address}: {error or 'timed out'}") from error
        return cls(resolution, reader, writer)

    @property
    def usable(self) -> bool:
        """Whether it may carry another request: not closed by the server, and its address still valid."""
        return self.reusable and not self._reader.at_eof() and time.monotonic() < self.resolution.until

    async def ask(
        self, method: str, path: str, host: str, form: bytes = b"", *, agent: str = "customer/1.0"
    ) -> Answer:
        """Send one request and read its whole answer. Raises RequestFailed."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
        if method == "POST":
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
        self.reusable = False  # until the answer is whole
        try:
            self._writer.write(head.encode("ascii") + b"\r\n" + form)
            await self._writer.drain()
            return await self._answer()
        except asyncio.IncompleteReadError as error:
            raise RequestFailed(f"the answer ended after {len(error.partial)} bytes") from error
        except (asyncio.LimitOverrunError, OSError, ValueError, IndexError) as error:
            raise RequestFailed(f"{type(error).__name__}: {error}") from error

    async def _answer(self) -> Answer:
        block = await self._reader.readuntil(b"\r\n\r\n")
        lines = block.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        body = b""
        closing = headers.get("connection", "").lower() == "close"
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self._chunks()
        elif "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif status not in NO_BODY:
            body, closing = await self._reader.read(-1), True
        self.reusable = not closing
        return Answer(status, headers.get("x-shop-site", ""), body)

    async def _chunks(self) -> bytes:
        parts = []
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            continue  # trailers
        return b"".join(parts)

    def close(self) -> None:
        """End it."""
        self._writer.close()


class Connections:
    """Idle connections, the last used first; a request takes one that is usable or opens a new one."""

    def __init__(self, resolver: Resolver, port: int) -> None:
        self._resolver, self._port = resolver, port
        self._idle: deque[Connection] = deque()
        self.opened = 0

    async def take(self) -> Connection:
        """A connection to the address that is valid now. Raises RequestFailed."""
        resolution = await self._resolver.current()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        self.opened += 1
        return await Connection.open(resolution, self._port)

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next request, if it can carry one."""
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """End every idle connection."""
        while self._idle:
            self._idle.pop().close()
