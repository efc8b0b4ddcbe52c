"""One HTTP/2 connection with many streams: a libcurl multi handle that may open one connection.

A multi handle of its own for each connection keeps the choice of the connection, and the queue before it,
with the engine: what waits is then seen, and counted. A request that is handed over and does not leave at
once has met the server's limit of streams, or a connection that the server had closed.
What libcurl calls back it calls while it acts, and from there it may not be asked to act again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pycurl

from tasks.replay.http2_stream import Stream

if TYPE_CHECKING:
    from tasks.replay.http2_engine import Http2Engine

STREAMS = 100  # libcurl's own limit until the server has told its (RFC 9113, 6.5.2: at least 100)


class Channel:
    """`room` is how many streams it bears; `connected` whether requests leave at once."""

    def __init__(self, engine: Http2Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine, self._loop = engine, loop
        self._port = 0
        self._wake: asyncio.Handle | None = None
        self._watched: set[int] = set()
        self.flying: dict[Stream, None] = {}  # in the order of their coming
        self.room = STREAMS
        self.connected = False
        self.answered_s = 0.0
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, 1)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    @property
    def free(self) -> int:
        """How many requests it would take now; while it connects, the one that opens it."""
        return (self.room if self.connected else 1) - len(self.flying)

    def add(self, stream: Stream) -> None:
        """Takes a request on; it leaves with the next `run`."""
        self.flying[stream] = None
        self._multi.add_handle(stream.curl)

    def drop(self, stream: Stream) -> None:
        """The request is over, or no longer wanted: its stream is reset then, the connection stays."""
        del self.flying[stream]
        self._multi.remove_handle(stream.curl)

    def run(self) -> None:
        """Lets libcurl send what was added."""
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def held(self) -> list[Stream]:
        """After a `run`: takes back what did not leave. Where nothing else is on the way, the server had
        closed the connection, and the first one opens another (RFC 9113, 6.5.2 and 6.8)."""
        unsent = [stream for stream in self.flying if not stream.sent]
        if not unsent or not self.connected:
            return []
        if len(unsent) == len(self.flying):
            self.connected = False
            unsent = unsent[1:]
        else:
            self.room = len(self.flying) - len(unsent)
        for stream in unsent:
            self.drop(stream)
        return unsent

    def carries(self, own_port: int) -> bool:
        """A request leaves from this port; gives whether it is the first one on its connection."""
        if own_port == self._port:
            return False
        self._port, self.connected, self.room = own_port, True, STREAMS
        self._engine.connected()
        return True

    def close(self) -> None:
        """Drops everything and closes the connection."""
        for stream in list(self.flying):
            self.drop(stream)
        self._multi.close()
        if self._wake:
            self._wake.cancel()
        for descriptor in list(self._watched):
            self._unwatch(descriptor)

    def _act(self, descriptor: int, events: int) -> None:
        self._multi.socket_action(descriptor, events)
        _, whole, broken = self._multi.info_read()
        for curl in whole:
            self.drop(curl.stream)
            self._engine.answered(curl.stream)
        for curl, code, message in broken:
            self.drop(curl.stream)
            self._engine.broken(curl.stream, code, message)

    def _woken(self, descriptor: int, events: int) -> None:
        self._act(descriptor, events)
        self._engine.relieved()

    # What libcurl calls, while it acts: it may not be asked to act again from here.

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._unwatch(descriptor)
            return
        self._watched.add(descriptor)
        if what & pycurl.POLL_IN:
            self._loop.add_reader(descriptor, self._woken, descriptor, pycurl.CSELECT_IN)
        else:
            self._loop.remove_reader(descriptor)
        if what & pycurl.POLL_OUT:
            self._loop.add_writer(descriptor, self._woken, descriptor, pycurl.CSELECT_OUT)
        else:
            self._loop.remove_writer(descriptor)

    def _unwatch(self, descriptor: int) -> None:
        self._watched.discard(descriptor)
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)

    def _on_timer(self, wait_ms: int) -> None:
        if self._wake:
            self._wake.cancel()
            self._wake = None
        if wait_ms == 0:
            self._wake = self._loop.call_soon(self._woken, pycurl.SOCKET_TIMEOUT, 0)
        elif wait_ms > 0:  # a timer of uvloop may be up to 1 ms early, and libcurl would not ask again
            self._wake = self._loop.call_later((wait_ms + 1) / 1000, self._woken, pycurl.SOCKET_TIMEOUT, 0)
