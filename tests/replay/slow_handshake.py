"""A TCP relay that takes connections at once, and passes on what comes first only after a while."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

HELD_S = 0.15


def _pump(source: socket.socket, sink: socket.socket, held_s: float) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            time.sleep(held_s)
            held_s = 0.0
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def slow_handshake(port: int) -> Iterator[int]:
    """The relay's own port."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = [listener]

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed: it is over
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", port))
                opened.extend((client, server))
                threading.Thread(target=_pump, args=(client, server, HELD_S), daemon=True).start()
                threading.Thread(target=_pump, args=(server, client, 0.0), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        for each in opened:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
