"""One keep-alive connection: sends a request, reads its answer, tells the engine. No pipelining."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Protocol, cast

import httptools
import xxhash

from tasks.replay.records import Fault

if TYPE_CHECKING:
    from tasks.replay.engine import Engine

MAX_HEAD_BYTES = 64 * 1024  # of an answer; proxies take 8 KiB (nginx) or 16 KiB (haproxy) as they come

_clock = time.monotonic
_hash = xxhash.xxh3_64_intdigest


class _Hasher(Protocol):
    def update(self, data: bytes) -> None: ...
    def intdigest(self) -> int: ...


class Connection(asyncio.Protocol):
    """`request` is the slot in flight, -1 where there is none; `began_s` and `connected_s` are of TCP."""

    __slots__ = (
        "_body",
        "_complete",
        "_engine",
        "_hasher",
        "_head",
        "_keep",
        "_parser",
        "_status",
        "_transport",
        "began_s",
        "connected_s",
        "on_headers_complete",
        "request",
        "served",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        if engine.heads:  # the parser calls it where it exists: a call for each answer, that only HEAD needs
            self.on_headers_complete = self._headers_complete
        self._parser = httptools.HttpResponseParser(self)
        self.request = -1
        self.served = 0
        self.began_s = self.connected_s = 0.0
        self._body: bytes | None = None
        self._hasher: _Hasher | None = None
        self._head: bytes | None = None  # all that came before the body, and the part of it that came along
        self._status = 0
        self._complete = False
        self._keep = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine gives it its first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._engine.connected(self)

    def send(self, index: int, wire: bytes, now: float) -> None:
        """Sends one request."""
        slots = self._engine.slots
        self.request = index
        slots.sent_s[index] = now
        if not self.served:
            slots.fresh[index] = 1
        self._transport.write(wire)

    def abort(self) -> None:
        """Cuts the connection; the request in flight is the caller's business."""
        self.request = -1
        self._transport.abort()

    def tls_session(self) -> ssl.SSLSession | None:
        """What the target gave for resuming TLS; None where it gave nothing, or there is no TLS."""
        agreed: ssl.SSLObject | None = (
            self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        )
        return agreed.session if agreed is not None else None

    def data_received(self, data: bytes) -> None:
        """Reads a part of an answer."""
        now = _clock()
        engine, index = self._engine, self.request
        if index < 0:  # bytes that nobody asked for
            engine.unasked += 1
            self.abort()
            return
        if self._head is None:
            self._head = data
            engine.slots.first_byte_s[index] = now
        elif self._body is None:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not (self._complete and engine.is_head(index)):
                self._broken(index)
                return
        if self._complete:
            self._answered(index, now)
        elif self._body is None and len(self._head) > MAX_HEAD_BYTES:
            self._broken(index)

    def _broken(self, index: int) -> None:
        self.abort()
        self._engine.failed(index, Fault.PROTOCOL)

    def _answered(self, index: int, now: float) -> None:
        engine = self._engine
        slots = engine.slots
        slots.status[index] = self._status
        slots.body_hash[index] = self._hasher.intdigest() if self._hasher else _hash(self._body or b"")
        slots.done_s[index] = now
        if engine.server_timing is not None:
            slots.server_s[index] = engine.server_timing(self._head or b"")
        keep = self._keep
        if keep and engine.heads and engine.is_head(index):
            self._parser = httptools.HttpResponseParser(self)  # the old one still waits for a body
        self.request = -1
        self.served += 1
        self._head = self._body = self._hasher = None
        self._complete = False
        if not keep:
            self._transport.abort()
        engine.finished(index, self if keep else None)

    def _headers_complete(self) -> None:
        """An answer to HEAD has no body, whatever its length says."""
        if self._engine.is_head(self.request) and (status := self._parser.get_status_code()) >= 200:
            self._status = status
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        """Part of the body."""
        if self._body is None:
            self._body = chunk
        else:
            if self._hasher is None:
                self._hasher = xxhash.xxh3_64(self._body)
            self._hasher.update(chunk)

    def on_message_complete(self) -> None:
        """The whole answer is there, unless it was only an interim one (1xx)."""
        if not self._complete and (status := self._parser.get_status_code()) >= 200:
            self._status = status
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def connection_lost(self, exc: Exception | None) -> None:
        """By either side."""
        index, head = self.request, self._head
        self.request = -1
        if index < 0:
            self._engine.lost(self)
        elif exc is None and head is not None and _ends_with_connection(head):
            self._status = self._parser.get_status_code()
            self._keep = False
            self._answered(index, _clock())
            self._engine.lost(self)
        else:
            self._engine.lost(self)
            if head is not None:
                self._engine.failed(index, Fault.TRUNCATED)
            elif self.served:
                self._engine.retry(index)
            else:
                self._engine.failed(index, Fault.RESET)


def _ends_with_connection(head: bytes) -> bool:
    """An answer with neither a length nor chunks ends when the server closes (RFC 9112, 6.3)."""
    while head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):  # interim ones before it
        head = head.partition(b"\r\n\r\n")[2]
    fields, end, _ = head.lower().partition(b"\r\n\r\n")
    return bool(end) and b"\r\ncontent-length:" not in fields and b"\r\ntransfer-encoding:" not in fields
