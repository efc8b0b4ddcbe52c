"""Does a target speak HTTP/2? Asked before anything is loaded, as a run never falls back to HTTP/1.1."""

from __future__ import annotations

import socket
import ssl

from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.replay.target_url import CONNECT_TIMEOUT_S, Endpoint

# RFC 9113, 3.4: what a client says first, here with empty SETTINGS; and 4.1, 6.5: the head of the answer's.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_FRAME_HEAD_BYTES, _TYPE_AT, _SETTINGS = 9, 3, 4


def probe_http2(endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
    """One connection, closed again: ALPN where it has TLS, the first frames where it has not.

    Raises ServiceFailed where it speaks something else, HostUnreachable where TLS fails or is not trusted.
    """
    where = endpoint.where
    try:
        with socket.create_connection((endpoint.address, endpoint.port), CONNECT_TIMEOUT_S) as plain:
            said = _agreed(plain, endpoint, tls) if tls else _first_frame(plain)
    except ssl.SSLError as error:
        raise HostUnreachable(where, f"no TLS connection ({error})", "check the certificate") from error
    except OSError as error:
        said = f"no frame of it, but {error}"
    if said:
        raise ServiceFailed(where, f"does not speak HTTP/2 ({said})", "replay it with --http 1.1")


def _agreed(plain: socket.socket, endpoint: Endpoint, tls: ssl.SSLContext) -> str:
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with tls.wrap_socket(plain, server_hostname=endpoint.server_name) as wrapped:
        chosen = wrapped.selected_alpn_protocol()
    return "" if chosen == "h2" else f"ALPN chose {chosen or 'nothing'}"


def _first_frame(plain: socket.socket) -> str:
    plain.sendall(_PREFACE)
    head = b""
    while len(head) < _FRAME_HEAD_BYTES:
        more = plain.recv(_FRAME_HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    if len(head) == _FRAME_HEAD_BYTES and head[_TYPE_AT] == _SETTINGS:
        return ""
    return f"its first bytes are {head!r}"
