"""Asks one request and keeps the whole answer; slow and plain, for comparing, never for measuring."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable

from tasks.replay.capture import Target
from tasks.replay.comparison import Answer
from tasks.replay.job import wire_of
from tasks.replay.target_url import Endpoint

MAX_BODY_BYTES = 8 * 1024 * 1024


def asker(endpoint: Endpoint, tls: ssl.SSLContext | None, timeout_s: float) -> Callable[[Target], Answer]:
    """One connection a request, the same bytes as the engine sends. A fault is an answer that says so; a body
    above 8 MiB is one. Redirects are not followed."""

    def ask(request: Target) -> Answer:
        try:
            with socket.create_connection((endpoint.address, endpoint.port), timeout_s) as plain:
                if tls is None:
                    return _exchange(plain, request, endpoint)
                with tls.wrap_socket(plain, server_hostname=endpoint.server_name) as wrapped:
                    return _exchange(wrapped, request, endpoint)
        except (OSError, http.client.HTTPException) as error:
            return Answer(fault=f"{type(error).__name__}: {error}".rstrip(": "))

    return ask


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
