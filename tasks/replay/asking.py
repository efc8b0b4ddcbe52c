"""Asks one request and keeps the whole answer; slow and plain, for comparing, never for measuring."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tasks.replay.capture import Target
from tasks.replay.comparison import Answer
from tasks.replay.job import wire_of
from tasks.replay.target_url import Endpoint

MAX_BODY_BYTES = 8 * 1024 * 1024


def asker(endpoint: Endpoint, tls: ssl.SSLContext | None, timeout_s: float) -> Callable[[Target], Answer]:
    """One connection a request, the same bytes as the engine sends. A fault is an answer that says so; a body
    above 8 MiB is one, and so is what is not whole `timeout_s` after it was asked for. Redirects are not
    followed."""

    def ask(request: Target) -> Answer:
        try:
            with socket.create_connection((endpoint.address, endpoint.port), timeout_s) as plain:
                if tls is None:
                    with _cut_after(timeout_s, plain):
                        return _exchange(plain, request, endpoint)
                with (
                    tls.wrap_socket(plain, server_hostname=endpoint.server_name) as wrapped,
                    _cut_after(timeout_s, wrapped),
                ):
                    return _exchange(wrapped, request, endpoint)
        except (OSError, http.client.HTTPException) as error:
            return Answer(fault=f"{type(error).__name__}: {error}".rstrip(": "))

    return ask


@contextmanager
def _cut_after(timeout_s: float, stream: socket.socket) -> Iterator[None]:
    """A socket's own time-out is begun anew by every byte; this one is for the whole answer."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        with suppress(OSError):  # the other side was faster
            stream.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    if over.is_set():  # also where all looks well: a body to the end of the connection, which was ours
        raise TimeoutError(f"no whole answer within {timeout_s:g} s")


def _exchange(stream: socket.socket, request: Target, endpoint: Endpoint) -> Answer:
    stream.sendall(wire_of(request, endpoint.host_header))
    with http.client.HTTPResponse(stream, method=request.method) as response:
        response.begin()
        body = response.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            return Answer(fault=f"a body above {MAX_BODY_BYTES} bytes")
        if response.length:  # read(limit) does not say that the rest never came
            return Answer(fault=f"{response.length} bytes of the body are missing")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body)
