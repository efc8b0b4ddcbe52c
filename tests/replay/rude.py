"""A server whose every path is a way to misbehave; each connection has a thread, held back by TCP."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable

Peer = socket.socket
BODY_BYTES = 1 << 30
BLOCK = bytes(range(256)) * 4096  # 1 MiB
KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


class Closed(Exception):
    """The behaviour ended the connection."""


def reset(peer: Peer) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends RST
    raise Closed


def reset_midway(peer: Peer) -> None:
    peer.sendall(KNOWN % (300, b"abc"))
    time.sleep(0.05)  # or RST overtakes what was sent
    reset(peer)


def junk(peer: Peer) -> None:
    peer.sendall(BLOCK[128:4000])


def bad_chunk(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")


def endless_headers(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"X-More: and more\r\n" * 1000)


def endless_header(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-More: ")
    while True:
        peer.sendall(b"and more" * 2000)


def endless_interim(peer: Peer) -> None:
    while True:
        peer.sendall(b"HTTP/1.1 103 Early Hints\r\nX-More: and more\r\n\r\n" * 100)


def endless_continue(peer: Peer) -> None:
    while True:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def endless_body(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.sendall(b"400\r\n" + BLOCK[:1024] + b"\r\n")
        time.sleep(0.01)


def trickle(peer: Peer) -> None:
    """To the end of the connection, which never comes."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"x")
        time.sleep(0.01)


def gigabyte(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
    for _ in range(BODY_BYTES // len(BLOCK)):
        peer.sendall(BLOCK)


def too_long_later(peer: Peer) -> None:
    peer.sendall(KNOWN % (3, b"abc"))
    time.sleep(0.02)
    peer.sendall(b"defgh")


def too_short(peer: Peer) -> None:
    """And keeps the connection open."""
    peer.sendall(KNOWN % (300, b"abc"))


def early_then_cut(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + KNOWN % (300, b"abc"))
    raise Closed


def only_early(peer: Peer) -> None:
    peer.sendall(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
    raise Closed


def quiet_close(peer: Peer) -> None:
    """Closes a connection that was promised to stay."""
    peer.sendall(KNOWN % (2, b"ok"))
    raise Closed


def split_head(peer: Peer) -> None:
    """A body to the end of the connection, after a head in two parts."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-More: a")
    time.sleep(0.02)
    peer.sendall(b"nd more\r\n\r\nto the end")
    raise Closed


def where_from(peer: Peer) -> None:
    """Slowly: connections that are opened together are all used."""
    time.sleep(0.1)
    address = peer.getpeername()[0].encode()
    peer.sendall(KNOWN % (len(address), address))


def well(peer: Peer) -> None:
    peer.sendall(KNOWN % (2, b"ok"))


BEHAVIOURS: dict[str, Callable[[Peer], None]] = {
    "/" + each.__name__.replace("_", "-"): each
    for each in (
        *(reset, reset_midway, junk, bad_chunk, endless_headers, endless_header, endless_interim),
        *(endless_continue, endless_body, trickle, gigabyte, too_long_later, too_short, early_then_cut),
        *(only_early, quiet_close, split_head, where_from, well),
    )
}


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        waiting = b""
        try:
            while data := self.request.recv(65536):
                waiting += data
                while b"\r\n\r\n" in waiting:
                    head, _, waiting = waiting.partition(b"\r\n\r\n")
                    BEHAVIOURS[head.split(b" ")[1].decode()](self.request)
        except (Closed, OSError):  # OSError: the client has given up, as it should
            self.request.close()


class RudeServer(socketserver.ThreadingTCPServer):
    """Serves from the moment when it is made, in threads of this process."""

    allow_reuse_address, daemon_threads, request_queue_size = True, True, 512
    block_on_close = False  # an endless answer ends with its client

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def shutdown_request(self, request: object) -> None:
        """The handler closes: a shutdown before would make a FIN of the RST."""
