"""Sessions: each client of the capture has one connection, and the cookies that the target gave it.

A request waits for its client's connection where that one is busy or being opened, as HTTP/1.1 carries one
at a time; response counts from when it was due, as ever, and `waited` tells how many did. A client keeps its
connection until the cap is reached: then the one that is idle for longest is closed for the next client,
which costs its owner a new connection and no cookie. Where none is idle, clients wait: that is backlog.
Over TLS a client that comes again offers the session that its last connection was given.
"""

from __future__ import annotations

import ssl
import time
from array import array
from collections import deque
from collections.abc import Sequence

from tasks.replay.connection import Connection
from tasks.replay.cookies import Jar
from tasks.replay.engine import Engine, Limits
from tasks.replay.records import Fault
from tasks.replay.resumption import Offering
from tasks.replay.server_timing import Reader

_clock = time.monotonic
_wall = time.time  # cookies expire by the calendar


class SessionConnection(Connection):
    """The connection of one client."""

    __slots__ = ("_sessions", "client")

    def __init__(self, engine: SessionEngine, client: int) -> None:
        super().__init__(engine)
        self._sessions, self.client = engine, client

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser calls it, as it exists here."""
        if name.lower() == b"set-cookie":
            self._sessions.set_cookie(self.request, value)


class SessionEngine(Engine):
    """`client` has the number of its client for each request."""

    def __init__(
        self,
        client: array[int],
        host: str,
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
        super().__init__(due_s, wires, which, address, limits, tls, server_name, sources, server_timing)
        self.waited = 0
        self.closed_for_others = 0
        self.cookies_set = 0
        self.cookies_refused = 0
        self._client, self._host = client, host
        self._paths = [wire.split(b" ", 2)[1].partition(b"?")[0] for wire in wires]
        self._cuts = [wire.index(b"\r\n") + 2 for wire in wires]  # where a Cookie line may stand
        self._jars: dict[int, Jar] = {}
        self._tls_sessions: dict[int, ssl.SSLSession] = {}  # of a client's last connection, once it is gone
        self._of: dict[int, SessionConnection] = {}  # by client, from its opening to its loss
        self._resting: dict[int, SessionConnection] = {}  # the idle ones, that of the longest rest first
        self._queues: dict[int, deque[int]] = {}
        self._unplaced: dict[int, None] = {}  # clients that wait for a place under the cap, in their order
        self._unplaced_requests = 0

    def told(self) -> dict[str, int]:
        """For result.json."""
        return {
            "clients": len(set(self._client)),
            "waited": self.waited,
            "closed_for_others": self.closed_for_others,
            "cookies_set": self.cookies_set,
            "cookies_refused": self.cookies_refused,
        }

    def set_cookie(self, index: int, field: bytes) -> None:
        """An answer to this request has a Set-Cookie field."""
        client = self._client[index]
        jar = self._jars.get(client)
        if jar is None:
            jar = self._jars[client] = Jar(self._host, secure=self._tls is not None)
        if jar.set(field, self._paths[self._which[index]], _wall()):
            self.cookies_set += 1
        else:
            self.cookies_refused += 1

    def _give(self, connection: Connection, index: int) -> None:
        which = self._which[index]
        wire = self._wires[which]
        if (jar := self._jars.get(self._client[index])) is not None:
            cut = self._cuts[which]
            wire = wire[:cut] + jar.header(self._paths[which], _wall()) + wire[cut:]
        self._carrier[index] = connection
        connection.send(index, wire, _clock())

    def _dispatch(self, indices: range) -> None:
        for index in indices:
            self._dispatch_one(index)

    def _dispatch_one(self, index: int) -> None:
        client = self._client[index]
        resting = self._resting.pop(client, None)
        if resting is not None:
            self._give(resting, index)
            return
        self._queues.setdefault(client, deque()).append(index)
        if client in self._of:
            self.waited += 1
        elif client in self._unplaced:
            self._unplaced_requests += 1
        else:
            self._want_place(client)
        if self._unplaced_requests > self.backlog_max:
            self.backlog_max = self._unplaced_requests

    def _want_place(self, client: int) -> None:
        if len(self._of) >= self._limits.connections and self._resting:
            self._close_for_others(next(iter(self._resting.values())))
        self._unplaced[client] = None
        self._unplaced_requests += len(self._queues[client])
        self._place()

    def _place(self) -> None:
        """Opens connections for those who wait, as far as the cap allows."""
        while self._unplaced and len(self._of) < self._limits.connections:
            client = next(iter(self._unplaced))
            del self._unplaced[client]
            self._unplaced_requests -= len(self._queues[client])
            connection = self._of[client] = SessionConnection(self, client)
            self._connecting += 1
            task = self._loop.create_task(self._connect_for(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _why_unsent(self, index: int) -> Fault:
        """The connection of its client was asked for, and is not open."""
        mine = self._of.get(self._client[index])
        return Fault.UNSENT if mine is None or mine in self._open else Fault.CONNECT

    async def _connect_for(self, connection: SessionConnection) -> None:
        if not await self._established(connection):
            if (index := self._next_of(connection.client)) is not None:
                self.failed(index, Fault.CONNECT)
            self._gone(connection)

    def _next_of(self, client: int) -> int | None:
        """The client's request that waits longest."""
        queue = self._queues.get(client)
        if queue is None:
            return None
        index = self._first_of(queue)
        if not queue:
            del self._queues[client]
        return index

    def _trust(self, connection: Connection) -> ssl.SSLContext | Offering | None:
        assert isinstance(connection, SessionConnection)  # noqa: S101 - for the type checker: no others are made
        session = self._tls_sessions.pop(connection.client, None)  # a ticket is for one use
        return Offering(self._tls, session) if self._tls and session else self._tls

    def _keep_tls_session(self, connection: SessionConnection) -> None:
        if (session := connection.tls_session()) is not None:
            self._tls_sessions[connection.client] = session

    def _close_for_others(self, connection: SessionConnection) -> None:
        self.closed_for_others += 1
        self._keep_tls_session(connection)
        self._resting.pop(connection.client, None)
        del self._of[connection.client]
        self._open.discard(connection)
        connection.abort()

    def _gone(self, connection: SessionConnection) -> None:
        """Its place is free: for the others who wait, then for its own client."""
        client = connection.client
        if self._of.get(client) is not connection:
            return  # closed for others; its client may have a new one already
        del self._of[client]
        self._resting.pop(client, None)
        if self._over.is_set():
            return
        if client in self._queues:
            self._want_place(client)
        self._place()

    # What the connections report.

    def connected(self, connection: Connection) -> None:
        """A new connection is there."""
        self._count_opened(connection)
        self._free(connection)

    def _free(self, connection: Connection) -> None:
        assert isinstance(connection, SessionConnection)  # noqa: S101 - for the type checker: no others are made
        index = self._next_of(connection.client)
        if index is not None:
            self._give(connection, index)
        elif self._unplaced:
            self._close_for_others(connection)
            self._place()
        else:
            self._resting[connection.client] = connection

    def _again_on_a_new_connection(self, index: int) -> None:
        client = self._client[index]
        self._queues.setdefault(client, deque()).appendleft(index)
        if client in self._unplaced:
            self._unplaced_requests += 1
        elif client not in self._of:
            self._want_place(client)

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        assert isinstance(connection, SessionConnection)  # noqa: S101 - for the type checker: no others are made
        self._open.discard(connection)
        self._keep_tls_session(connection)
        self._gone(connection)
