"""A real HTTP server of its own process, whose faults are chosen by the path; it prints its port.

/reset-idle closes a kept connection without a byte, the second time it is asked on it; /close answers and
closes; /short and /long have a wrong Content-Length; /hang never answers; /eof has no length; /garbage is no
HTTP; /status/N answers N; /early is preceded by 103; /chunked has chunks; /noise differs each time; /timed
states 7.5 ms in Server-Timing, in a head of two pieces; /echo gives the request line and body back; /side
differs by the second argument of the program; everything else is a body that depends on the path.
"""

import asyncio
import itertools
import re
import ssl
import sys
from typing import cast

import uvloop

counter = itertools.count()
SIDE = sys.argv[1] if len(sys.argv) > 1 else "a"
DELAY_S = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


def answer(path: str, status: int = 200, body: bytes | None = None, extra: str = "") -> bytes:
    content = body if body is not None else f"body of {path}".encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{extra}\r\n".encode() + content


class Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.waiting, self.served = b"", 0

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)|$", head)[1] or 0)  # type: ignore[index]
            if len(self.waiting) < length:
                self.waiting = head + b"\r\n\r\n" + self.waiting
                return
            self.head, self.body = head, self.waiting[:length]
            self.waiting = self.waiting[length:]
            if DELAY_S:
                asyncio.get_running_loop().call_later(DELAY_S, self.reply, method, path)
            else:
                self.reply(method, path)
            self.served += 1

    def reply(self, method: str, path: str) -> None:
        if self.transport.is_closing():
            return
        write = self.transport.write
        route = path.split("?")[0]
        if method == "HEAD":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        elif route == "/reset-idle" and self.served:
            self.transport.abort()
        elif route == "/close":
            write(answer(path, extra="Connection: close\r\n"))
            self.transport.close()
        elif route == "/short":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdefgh")
        elif route == "/long":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nabc")
            self.transport.close()
        elif route == "/timed":
            head, _, rest = answer(path, extra="Server-Timing: db;dur=3, app;desc=x;dur=7.5\r\n").partition(
                b"dur=7"
            )
            write(head)
            asyncio.get_running_loop().call_later(0.01, write, b"dur=7" + rest)
        elif route == "/hang":
            return
        elif route == "/echo":  # what was sent to it
            write(answer(path, body=self.head.split(b"\r\n")[0] + b"\n" + self.body))
        elif route == "/eof":
            write(b"HTTP/1.0 200 OK\r\n\r\nto the end")
            self.transport.close()
        elif route == "/garbage":
            write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif route.startswith("/status/"):
            write(answer(path, int(route[8:])))
        elif route == "/early":
            write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer(path))
        elif route == "/chunked":
            write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        elif route == "/noise":
            write(answer(path, body=b"%d" % next(counter)))
        elif route == "/side":
            write(answer(path, body=SIDE.encode()))
        else:
            write(answer(path))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    tls = None
    if len(sys.argv) > 3 and sys.argv[3]:  # a file with key and certificate
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[3])
        if len(sys.argv) > 5:
            tls.maximum_version = ssl.TLSVersion[sys.argv[5]]
    host = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
    server = await loop.create_server(Server, host, 0, backlog=4096, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
