"""A TCP relay whose open connections can be made silent: as a firewall that forgot them, or a dead host."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


class MutingRelay:
    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._peer: dict[socket.socket, socket.socket] = {}
        self._kept: list[socket.socket] = []
        self._mute = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._relay)
        self._thread.start()

    def mute(self) -> None:
        """What is open now gets nothing any more; new connections do."""
        self._mute.set()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for one in (self._listener, *self._peer, *self._kept):
            one.close()

    def _relay(self) -> None:
        while not self._over.is_set():
            if self._mute.is_set():
                self._mute.clear()
                self._kept.extend(self._peer)
                self._peer.clear()
            readable, _, _ = select.select([self._listener, *self._peer], [], [], 0.02)
            for one in readable:
                if one is self._listener:
                    client = one.accept()[0]
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._peer |= {client: server, server: client}
                elif one in self._peer:
                    self._pass_on(one)

    def _pass_on(self, one: socket.socket) -> None:
        try:
            data = one.recv(65536)
            if data:
                self._peer[one].sendall(data)
                return
        except OSError:
            data = b""
        other = self._peer.pop(one)
        del self._peer[other]
        one.close()
        other.close()


@contextlib.contextmanager
def muting_relay(port: int) -> Iterator[MutingRelay]:
    relay = MutingRelay(port)
    try:
        yield relay
    finally:
        relay.close()
