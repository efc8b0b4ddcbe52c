"""The second load engine: the open loop over HTTP/2, many requests at a time on a connection.

A request goes to the first connection that has a stream free (few connections, all warm), or waits, first in
first out, for one that becomes free. Connections are opened on demand up to a cap; a request that waits while
the cap is reached is backlog. Whatever does not come in HTTP/2 is a fault.
"""

from __future__ import annotations

import socket
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import cast

import pycurl

from tasks.replay.connection import MAX_HEAD_BYTES
from tasks.replay.engine import Limits
from tasks.replay.http2_channel import STREAMS, Channel
from tasks.replay.http2_stream import Ask, Stream, Trust
from tasks.replay.open_loop import OpenLoop
from tasks.replay.records import Fault
from tasks.replay.server_timing import Reader
from tasks.replay.sources import bound_socket
from tasks.replay.target_url import Endpoint

_clock = time.monotonic

# Numbers of libcurl-errors(3); two have no name in pycurl.
_HTTP2_STREAM, _WEIRD_SERVER_REPLY = 92, 8
_OF_THE_STREAM = frozenset({_HTTP2_STREAM, pycurl.E_PARTIAL_FILE})  # the connection stays in use
# A lost connection may have these numbers, too; of an answer that breaks the protocol nghttp2 says how.
_BREAKS_PROTOCOL = frozenset({pycurl.E_HTTP2, pycurl.E_RECV_ERROR})
_NOT_HTTP2 = frozenset({pycurl.E_HTTP2, pycurl.E_UNSUPPORTED_PROTOCOL, _WEIRD_SERVER_REPLY})


class Http2Engine(OpenLoop):
    """Runs one schedule against one endpoint. `due_s` are seconds after the start, rising."""

    def __init__(
        self,
        due_s: array[float],
        wires: list[bytes],
        which: array[int],
        endpoint: Endpoint,
        limits: Limits,
        trust: Trust,
        sources: Sequence[str] = (),
        server_timing: Reader | None = None,
    ) -> None:
        super().__init__(due_s, limits.timeout_s)
        self._asks, self._which = [Ask.of(wire) for wire in wires], which
        self._endpoint, self._limits, self._trust = endpoint, limits, trust
        self._sources = cycle(sources) if sources else None
        self._server_timing = server_timing
        self._waiting: deque[int] = deque()
        self._pumping = False
        self._listened = False
        self._channels: list[Channel] = []
        self._leaving: set[Channel] = set()  # no new requests for these
        self._carrier: list[Stream | None] = [None] * self._count
        # Made before the run, with all that libcurl sets up at first use; more come where they are needed.
        self._spare = [self._new_stream() for _ in range(min(STREAMS, self._count))]

    def _dispatch(self, indices: range) -> None:
        self._waiting.extend(indices)
        self._pump_soon()

    def _give_up(self, index: int) -> None:
        stream = self._carrier[index]
        if stream is None:
            return  # it waits still, and is left out when its turn comes
        channel = stream.channel
        channel.drop(stream)
        self._release(stream)
        if not stream.sent:
            self.connect_error = f"no connection within {self._limits.timeout_s:g} s"
        if not stream.sent or channel.answered_s < self.slots.sent_s[index]:
            self._retire(channel)  # it has said nothing since: no more requests for it
        self._pump_soon()

    async def _close(self) -> None:
        for channel in (*self._channels, *self._leaving):
            channel.close()

    def _pump_soon(self) -> None:
        """Once for all that is due now: requests for one connection are sent in one go."""
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        self._close_those_that_left()
        while self._waiting and not self._over.is_set():
            if (channel := self._with_room()) is None:
                break
            self._fill(channel)
            self._close_those_that_left()
        if self._waiting:
            self.backlog_max = max(self.backlog_max, len(self._waiting) - self._connecting() * STREAMS)

    def _close_those_that_left(self) -> None:
        for channel in [leaving for leaving in self._leaving if not leaving.flying]:
            self._leaving.remove(channel)
            channel.close()

    def _with_room(self) -> Channel | None:
        for channel in self._channels:
            if channel.free > 0:
                return channel
        if len(self._channels) + len(self._leaving) == self._limits.connections:
            return None
        if self._connecting() * STREAMS >= len(self._waiting):
            return None
        self._channels.append(Channel(self, self._loop))
        return self._channels[-1]

    def _connecting(self) -> int:
        return sum(not channel.connected for channel in self._channels)

    def _fill(self, channel: Channel) -> None:
        while channel.free > 0 and (index := self._next_waiting()) is not None:
            stream = self._spare.pop() if self._spare else self._new_stream()
            stream.load(index, self._asks[self._which[index]], channel)
            self._carrier[index] = stream
            if self._endpoint.tls and not self._listened:
                self._listened = True
                stream.overhear()
            channel.add(stream)
        channel.run()
        for stream in reversed(channel.held()):
            self._release(stream)
            self._waiting.appendleft(stream.index)

    def _new_stream(self) -> Stream:
        stream = Stream(self.slots, self._endpoint, self._trust, self._limits.timeout_s)
        if self._sources:
            stream.connect_with(self._bound)
        if self._server_timing:
            stream.keep_timing(self._server_timing)
        return stream

    def _bound(self) -> socket.socket | int:
        try:
            return bound_socket(next(cast(Iterator[str], self._sources)))
        except OSError as error:
            self.connect_error = str(error)
            return int(pycurl.SOCKET_BAD)

    def _next_waiting(self) -> int | None:
        while self._waiting:
            index = self._waiting.popleft()
            if not self.slots.fault[index]:  # those that timed out while waiting stay in the queue until here
                return index
        return None

    def _release(self, stream: Stream) -> None:
        if stream.opened:
            stream.record_opening()
        self._carrier[stream.index] = None
        self._spare.append(stream)

    def _retire(self, channel: Channel) -> None:
        if channel in self._channels:
            self._channels.remove(channel)
            self._leaving.add(channel)

    def _retry(self, index: int) -> None:
        """As the other engine: GET and HEAD are sent once more, others may have been done already."""
        if self.slots.retried[index] or not self._asks[self._which[index]].safe:
            self.failed(index, Fault.RESET)
            return
        self.slots.retried[index] = 1
        self._waiting.appendleft(index)

    # What the channels report.

    def connected(self) -> None:
        """A connection carries its first request."""
        self.opened += 1

    def answered(self, stream: Stream) -> None:
        """An answer is complete."""
        self._release(stream)
        if stream.tls_seen and not self.tls_seen:
            self.tls_seen = stream.tls_seen
            stream.hush()
        if not stream.over_http2:
            self._retire(stream.channel)
            self.failed(stream.index, Fault.PROTOCOL)
            return
        stream.record()
        stream.channel.answered_s = self.slots.done_s[stream.index]
        if stream.head_bytes > MAX_HEAD_BYTES:
            self.slots.done_s[stream.index] = 0.0
            self.failed(stream.index, Fault.PROTOCOL)
            return
        self._count_one()

    def broken(self, stream: Stream, code: int, message: str) -> None:
        """A request gets no complete answer; `code` is a CURLE_ number."""
        index, channel = stream.index, stream.channel
        self._release(stream)
        if code not in _OF_THE_STREAM:
            self._retire(channel)
        if not stream.sent:
            self.connect_error = message
            self.failed(index, Fault.CONNECT)
        elif stream.first_byte_seen:
            breaks = code in _BREAKS_PROTOCOL and "nghttp2" in message
            too_long = stream.head_bytes > MAX_HEAD_BYTES
            self.failed(index, Fault.PROTOCOL if breaks or too_long else Fault.TRUNCATED)
        elif channel.answered_s:
            self._retry(index)
        elif code in _NOT_HTTP2 and message and not stream.cut:  # a lost connection may have this code, too
            self.failed(index, Fault.PROTOCOL)
        else:
            self.failed(index, Fault.RESET)

    def relieved(self) -> None:
        """A channel has acted: there may be room, or nothing left on one that is leaving."""
        if self._waiting or self._leaving:
            self._pump()
