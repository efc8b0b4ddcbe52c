"""An HTTP/2 server whose every path is a way to misbehave: frames by hand, as no library would send them.

A frame is 9 bytes (length 24 bits, type, flags, stream 31 bits) and its payload (RFC 9113, 4.1); only header
blocks go through a library (HPACK). Each connection has a thread, held back by TCP. A connection may end in
an error of the client: that is what most of these want.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hpack import Decoder, Encoder
from hpack.hpack import encode_integer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    *(0, 1, 3, 4, 5, 6, 7, 8, 9),
)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITY = 4, 8, 32
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0, 2, 7


class Closed(Exception):
    """The behaviour ended the connection."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def block(*fields: tuple[str, str], status: str = "200") -> bytes:
    """Header fields that leave the dynamic table alone: streams answer in any order (RFC 7541, 6.2.2)."""
    head = b"\x88" if status == "200" else _literal(":status", status)
    return head + b"".join(_literal(name, value) for name, value in fields)


def _literal(name: str, value: str) -> bytes:
    return b"\x00" + b"".join(bytes(encode_integer(len(text), 7)) + text.encode() for text in (name, value))


@dataclass
class Peer:
    """One connection, the `number`-th of those with requests; `turn` counts the requests on it, from 1.
    Each has a thread, and what one of them sends at once stays together."""

    socket: socket.socket
    number: int = 0
    turn: int = 0
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, frames: bytes) -> None:
        with self._sending:
            self.socket.sendall(frames)

    def send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        self.send_all(frame(kind, flags, stream, payload))

    def goaway(self, last: int) -> None:
        self.send(GOAWAY, 0, 0, struct.pack(">II", last, NO_ERROR))

    def rst(self, stream: int, why: int) -> None:
        self.send(RST_STREAM, 0, stream, struct.pack(">I", why))


def well(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS, stream, block())
    peer.send(DATA, END_STREAM, stream, b"ok")


def continuation_flood(peer: Peer, stream: int) -> None:
    """A head of empty frames that never ends."""
    peer.send(HEADERS, 0, stream, block())
    while True:
        peer.send_all(frame(CONTINUATION, 0, stream) * 100)


def endless_head(peer: Peer, stream: int) -> None:
    """A head that grows by 16 KiB with each frame."""
    peer.send(HEADERS, 0, stream, block())
    while True:
        peer.send(CONTINUATION, 0, stream, _literal("x-more", "~" * 12_000))


def large_head(peer: Peer, stream: int) -> None:
    """100 KiB, complete: in few frames, and each field is one that any client takes."""
    whole = block(*((f"x-more-{n}", "~" * 10_000) for n in range(10)))
    parts = [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]
    kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
    flags = [0] * (len(parts) - 1) + [END_HEADERS]
    peer.send_all(b"".join(frame(k, f, stream, part) for k, f, part in zip(kinds, flags, parts, strict=True)))
    peer.send(DATA, END_STREAM, stream, b"ok")


def header_bomb(peer: Peer, stream: int) -> None:
    """A field of 4 KB in the table, and then a byte for each time that it is meant."""
    first = bytes(Encoder().encode([(":status", "200"), ("x-more", "~" * 4_000)], huffman=False))
    again = bytes([0x80 | 62]) * 16_000  # the newest entry of the dynamic table (RFC 7541, 2.3.3)
    peer.send_all(frame(HEADERS, 0, stream, first) + frame(CONTINUATION, END_HEADERS, stream, again))
    peer.send(DATA, END_STREAM, stream, b"ok")


def endless_interim(peer: Peer, stream: int) -> None:
    while True:
        peer.send(HEADERS, END_HEADERS, stream, block(("x-more", "and more"), status="103"))


def endless_body(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS, stream, block())
    while True:
        peer.send(DATA, 0, stream, b"x")
        time.sleep(0.01)


def endless_empty_body(peer: Peer, stream: int) -> None:
    """Frames without a byte, which no window holds back."""
    peer.send(HEADERS, END_HEADERS, stream, block())
    while True:
        peer.send_all(frame(DATA, 0, stream) * 100)
        time.sleep(0.001)


def too_much_body(peer: Peer, stream: int) -> None:
    """More than the window allows, and more than was promised."""
    peer.send(HEADERS, END_HEADERS, stream, block(("content-length", "3")))
    peer.send(DATA, END_STREAM, stream, b"abcdefgh")


def too_little_body(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS, stream, block(("content-length", "300")))
    peer.send(DATA, END_STREAM, stream, b"abc")


def junk(peer: Peer, stream: int) -> None:
    del stream
    peer.send_all(bytes(range(128, 256)) * 100)


def data_before_head(peer: Peer, stream: int) -> None:
    peer.send(DATA, END_STREAM, stream, b"ok")


def bad_header_block(peer: Peer, stream: int) -> None:
    """An index that no table has."""
    peer.send(HEADERS, END_HEADERS | END_STREAM, stream, b"\xff\xff\xff\xff\x0f")


def head_on_another_stream(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS | END_STREAM, stream + 1000, block())


def too_long_frame(peer: Peer, stream: int) -> None:
    """Above the 16 KiB that a client takes which has not said otherwise."""
    peer.send(HEADERS, END_HEADERS, stream, block())
    peer.send(DATA, END_STREAM, stream, bytes(1 << 20))


def push(peer: Peer, stream: int) -> None:
    """A promise that the client has forbidden."""
    peer.send(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + b"\x82\x86\x84\x01\x01a")
    well(peer, stream)


def ping_flood(peer: Peer, stream: int) -> None:
    """And never an answer."""
    del stream
    while True:
        peer.send_all(frame(PING, 0, 0, bytes(8)) * 1000)


def settings_flood(peer: Peer, stream: int) -> None:
    del stream
    while True:
        peer.send_all(frame(SETTINGS, 0, 0) * 1000)


def unknown_frames(peer: Peer, stream: int) -> None:
    """Of types that there are not: to be ignored (RFC 9113, 5.5)."""
    peer.send_all(frame(0xFA, 0xFF, 0, b"what is this") * 10)
    well(peer, stream)


def rst(peer: Peer, stream: int) -> None:
    peer.rst(stream, INTERNAL_ERROR)


def rst_midway(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS, stream, block())
    peer.send(DATA, 0, stream, b"abc")
    peer.rst(stream, INTERNAL_ERROR)


def refused(peer: Peer, stream: int) -> None:
    """Always: it was not looked at, and may be asked again."""
    peer.rst(stream, REFUSED_STREAM)


def leave_midway(peer: Peer, stream: int) -> None:
    """The third request of the first connection was not looked at; all others are answered."""
    if peer.number != 1 or peer.turn < 3:
        well(peer, stream)
        return
    peer.goaway(stream - 2)
    raise Closed


def leave_always(peer: Peer, stream: int) -> None:
    """Without ever an answer."""
    del stream
    peer.goaway(0)
    raise Closed


def close_midway(peer: Peer, stream: int) -> None:
    peer.send(HEADERS, END_HEADERS, stream, block())
    peer.send(DATA, 0, stream, b"abc")
    time.sleep(0.02)
    raise Closed


BEHAVIOURS: dict[str, Callable[[Peer, int], None]] = {
    "/" + each.__name__.replace("_", "-"): each
    for each in (
        *(well, continuation_flood, endless_head, large_head, header_bomb, endless_interim, endless_body),
        *(endless_empty_body, too_much_body, too_little_body, junk, data_before_head, bad_header_block),
        *(head_on_another_stream, too_long_frame, push, ping_flood, settings_flood, unknown_frames, rst),
        *(rst_midway, refused, leave_midway, leave_always, close_midway),
    )
}


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        peer, decoder = Peer(self.request), Decoder()
        with contextlib.suppress(OSError), self.request.makefile("rb") as stream:
            if stream.read(len(PREFACE)) != PREFACE:
                return
            peer.send(SETTINGS, 0, 0)
            for kind, flags, number, payload in _frames(stream.read):
                if kind == SETTINGS and not flags & ACK:
                    peer.send(SETTINGS, ACK, 0)
                if kind == HEADERS:
                    peer.number = peer.number or next(self.server.numbers)  # type: ignore[attr-defined] # ours
                    peer.turn += 1
                    cut = (5 if flags & PRIORITY else 0) + (1 if flags & PADDED else 0)
                    path = str(dict(decoder.decode(payload[cut:]))[":path"])
                    threading.Thread(target=_behave, args=(path, peer, number), daemon=True).start()


def _behave(path: str, peer: Peer, stream: int) -> None:
    try:
        BEHAVIOURS[path](peer, stream)
    except (Closed, OSError):  # OSError: the client has given up, as it should
        with contextlib.suppress(OSError):
            peer.socket.shutdown(socket.SHUT_RDWR)


def _frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    while len(head := read(9)) == 9:
        yield head[3], head[4], int.from_bytes(head[5:9]), read(int.from_bytes(head[:3]))


class RudeHttp2Server(socketserver.ThreadingTCPServer):
    """Serves from the moment when it is made, in threads of this process."""

    allow_reuse_address, daemon_threads, request_queue_size = True, True, 512
    block_on_close = False  # an endless answer ends with its client

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.numbers = itertools.count(1)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
