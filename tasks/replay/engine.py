"""The load engine: the open loop over HTTP/1.1, one request at a time on a connection.

A request takes the idle connection that was used last (LIFO: few connections, all warm), or waits, first
in first out, for one that becomes free; connections are opened on demand up to a cap. A request that waits
while the cap is reached is backlog, and a run with backlog is not valid: the generator was the limit.
Nothing is parsed, allocated in bulk or collected while it runs.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from tasks.replay.connection import Connection
from tasks.replay.open_loop import OpenLoop
from tasks.replay.records import Fault
from tasks.replay.resumption import Offering
from tasks.replay.server_timing import Reader
from tasks.replay.sources import bound_socket, tcp_socket

_clock = time.monotonic


@dataclass(frozen=True)
class Limits:
    """How a run is bounded. A request that has no answer `timeout_s` after it was due has timed out."""

    connections: int = 64
    timeout_s: float = 10.0


class Engine(OpenLoop):
    """Runs one schedule against one address. `due_s` are seconds after the start, rising.

    Connections come from the `sources` in turn; where there are none, the system chooses.
    """

    def __init__(
        self,
        due_s: array[float],
        wires: list[bytes],
        which: array[int],
        address: tuple[str, int],
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        sources: Sequence[str] = (),
        server_timing: Reader | None = None,
    ) -> None:
        super().__init__(due_s, limits.timeout_s)
        self._wires, self._which = wires, which
        self.server_timing = server_timing
        self.heads = frozenset(i for i, wire in enumerate(wires) if wire.startswith(b"HEAD "))
        self._unsafe = frozenset(i for i, w in enumerate(wires) if not w.startswith((b"GET ", b"HEAD ")))
        self._address, self._limits, self._tls, self._server_name = address, limits, tls, server_name
        self._sources = cycle(sources) if sources else None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting = 0
        self._last_opened_s = self._last_lost_s = 0.0
        self._waiting: deque[int] = deque()
        self._again: deque[int] = deque()  # sent twice; they want a new connection
        self._carrier: list[Connection | None] = [None] * self._count
        self._opening: set[asyncio.Task[None]] = set()

    def is_head(self, index: int) -> bool:
        """Whether the request of this slot is a HEAD."""
        return self._which[index] in self.heads

    def _dispatch(self, indices: range) -> None:
        idle, waiting = self._idle, self._waiting
        while idle and indices:
            self._give(idle.pop(), indices[0])
            indices = indices[1:]
        if not indices:
            return
        waiting.extend(indices)
        self._open_as_needed()
        backlog = len(waiting) - self._connecting
        if backlog > self.backlog_max:
            self.backlog_max = backlog

    def _give(self, connection: Connection, index: int) -> None:
        self._carrier[index] = connection
        connection.send(index, self._wires[self._which[index]], _clock())

    def _open_as_needed(self) -> None:
        while self._connecting < len(self._waiting) + len(self._again) and (
            len(self._open) + self._connecting < self._limits.connections
        ):
            self._connecting += 1
            task = self._loop.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        if not await self._established(Connection(self)):
            if (index := self._next_for_new()) is not None:
                self.failed(index, Fault.CONNECT)
            self._open_as_needed()

    async def _established(self, connection: Connection) -> bool:
        """Opens it; where it could not be, `connect_error` says why."""
        try:
            transport = await asyncio.wait_for(self._transport_of(connection), self._limits.timeout_s)
        except (OSError, TimeoutError) as error:
            self.connect_error = str(error) or f"no connection within {self._limits.timeout_s:g} s"
            self._connecting -= 1
            return False
        if self._tls and (agreed := transport.get_extra_info("ssl_object")) is not None:
            self.tls_resumed += bool(agreed.session_reused)
            if not self.tls_seen and (cipher := agreed.cipher()):
                self.tls_seen = f"{cipher[1]} {cipher[0]}"
        return True

    async def _transport_of(self, connection: Connection) -> asyncio.Transport:
        """TCP first, by itself: TLS is told apart from it."""
        opened = bound_socket(next(self._sources)) if self._sources else tcp_socket(self._address[0])
        try:
            connection.began_s = _clock()
            await self._loop.sock_connect(opened, self._address)
            connection.connected_s = _clock()
            transport, _ = await self._loop.create_connection(
                lambda: connection,
                sock=opened,
                ssl=self._trust(connection),  # type: ignore[arg-type] # a loop asks for wrap_bio alone
                server_hostname=self._server_name,
            )
        except BaseException:  # a time-out cancels it, too
            opened.close()
            raise
        return transport

    def _trust(self, connection: Connection) -> ssl.SSLContext | Offering | None:  # noqa: ARG002 - see sessions
        """With what TLS is begun. Each connection is that of a new customer, who has no session to offer."""
        return self._tls

    def _next_for_new(self) -> int | None:
        index = self._first_of(self._again)
        return self._first_of(self._waiting) if index is None else index

    def _first_of(self, queue: deque[int]) -> int | None:
        while queue:
            index = queue.popleft()
            if not self.slots.fault[index]:  # those that timed out while waiting stay in the queue until here
                return index
        return None

    def _give_up(self, index: int) -> None:
        if (connection := self._carrier[index]) is not None:
            connection.abort()

    def _why_unsent(self, index: int) -> Fault:
        """The target let none in: from its due time on no connection has been opened though one was asked
        for, and it was not the cap on those that are in use that kept it."""
        due_s = self.slots.due_s[index]
        hung = self._connecting and self._last_opened_s < due_s
        capped = len(self._open) + self._connecting >= self._limits.connections
        in_use = bool(self._open) or self._last_lost_s >= due_s
        return Fault.CONNECT if hung and not (capped and in_use) else Fault.UNSENT

    async def _close(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()

    # What the connections report.

    def connected(self, connection: Connection) -> None:
        """A new connection is there."""
        self._count_opened(connection)
        index = self._next_for_new()
        if index is None:
            self._idle.append(connection)
        else:
            self._give(connection, index)

    def _count_opened(self, connection: Connection) -> None:
        self._connecting -= 1
        self.opened += 1
        self._last_opened_s = _clock()
        self._open.add(connection)
        self.slots.connect_s.append(connection.connected_s - connection.began_s)
        self.slots.tls_s.append(self._last_opened_s - connection.connected_s if self._tls else math.nan)

    def finished(self, index: int, connection: Connection | None) -> None:
        """An answer is complete; the connection, where it stays open, takes what waits longest."""
        self._carrier[index] = None
        if connection is not None:
            self._free(connection)
        # What `_count_one` does, without a call for each answer: the hot loop.
        self.finished_count += 1
        if self.finished_count == self._count:
            self._over.set()

    def _free(self, connection: Connection) -> None:
        index = self._first_of(self._waiting) if self._waiting else None
        if index is None:
            self._idle.append(connection)
        else:
            self._give(connection, index)

    def failed(self, index: int, fault: Fault) -> None:
        """The request of this slot gets no answer."""
        self._carrier[index] = None
        super().failed(index, fault)

    def retry(self, index: int) -> None:
        """A connection that had served before was lost with no byte of the answer: the server had closed it
        while the request was on its way. GET and HEAD are safe to send again, once, on a new connection,
        as the idle ones may be as stale; the due time stays. Others may have been done already."""
        if self.slots.retried[index] or self._which[index] in self._unsafe:
            self.failed(index, Fault.RESET)
            return
        self.slots.retried[index] = 1
        self._carrier[index] = None
        self._again_on_a_new_connection(index)

    def _again_on_a_new_connection(self, index: int) -> None:
        self._again.append(index)
        self._open_as_needed()

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._last_lost_s = _clock()
        if connection in self._idle:
            self._idle.remove(connection)
        if (self._waiting or self._again) and not self._over.is_set():
            self._open_as_needed()
