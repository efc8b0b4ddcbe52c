"""Runs a program in a pod over the API server's websocket (protocol v5.channel.k8s.io, or v4).

The client library's own version of this has no time-out for connecting and shares state between threads.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import websocket
from kubernetes import client

from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.drivers.kube_refusals import no_answer, refusal
from tasks.drivers.ports import Output

CONNECT_TIMEOUT_S, CONNECT_ATTEMPTS, _PAUSE_S = 5.0, 3, 0.2  # as for every other question to the API
ANSWER_TIMEOUT_S = 30.0
MAX_OUTPUT_BYTES = 8 << 20
_STDOUT, _STDERR, _STATUS = 1, 2, 3


def execute(
    configuration: client.Configuration, headers: Mapping[str, str], path: str, part: str, timeout_s: float
) -> Output:
    """Runs what `path` (a pod's `exec` subresource with its query) names and collects its output.

    Raises HostUnreachable, HostKeyRefused, LoginRefused, Denied, and ServiceFailed where the pod is missing,
    the program cannot be started or the time is over (the program may still run then).
    """
    start = time.monotonic()
    connection = _connect(configuration, headers, path, part)
    streams = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    try:
        while not streams[_STATUS]:
            left_s = timeout_s - (time.monotonic() - start)
            if left_s <= 0:
                raise ServiceFailed(part, f"the program did not end in {timeout_s:g} s")
            connection.settimeout(left_s)
            opcode, data = connection.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            if data and data[0] in streams:
                streams[data[0]] += data[1:]
            if sum(map(len, streams.values())) > MAX_OUTPUT_BYTES:
                raise ServiceFailed(part, f"the program wrote more than {MAX_OUTPUT_BYTES} bytes")
    except websocket.WebSocketTimeoutException:
        raise ServiceFailed(part, f"the program did not end in {timeout_s:g} s") from None
    except (websocket.WebSocketException, OSError) as error:
        raise HostUnreachable(part, f"the connection broke while a program ran: {error}") from error
    finally:
        connection.close(timeout=1)
    return Output(
        exit_code=_exit_code(bytes(streams[_STATUS]), part),
        stdout=streams[_STDOUT].decode("utf-8", "replace"),
        stderr=streams[_STDERR].decode("utf-8", "replace"),
        seconds=time.monotonic() - start,
    )


def _connect(
    configuration: client.Configuration, headers: Mapping[str, str], path: str, part: str
) -> websocket.WebSocket:
    url = urlsplit(configuration.host)
    dialled = _dial(configuration, url, part)
    dialled.settimeout(ANSWER_TIMEOUT_S)
    connection = websocket.WebSocket(skip_utf8_validation=True)
    scheme = "wss" if url.scheme == "https" else "ws"
    try:
        connection.connect(  # type: ignore[no-untyped-call] # untyped library
            f"{scheme}://{url.netloc}{url.path.rstrip('/')}{path}",
            socket=dialled,
            timeout=ANSWER_TIMEOUT_S,
            header=[f"{name}: {value}" for name, value in headers.items() if name == "authorization"],
            subprotocols=["v5.channel.k8s.io", "v4.channel.k8s.io"],
            suppress_origin=True,
        )
    except websocket.WebSocketBadStatusException as error:
        dialled.close()
        body = error.resp_body or b""
        right = "the right to create pods/exec"
        raise refusal(part, "running a program is refused", error.status_code, body, right) from error
    except (websocket.WebSocketException, OSError) as error:
        dialled.close()
        raise no_answer(part, configuration.host, error) from error
    return connection


def _dial(configuration: client.Configuration, url: SplitResult, part: str) -> socket.socket:
    """TCP and TLS. Tried again, as nothing has been asked yet: a busy server takes its time to let one in."""
    context = None
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    host, port = url.hostname or "", url.port or (443 if context else 80)
    for left in reversed(range(CONNECT_ATTEMPTS)):
        raw: socket.socket | None = None
        try:
            raw = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
            if context is None:
                return raw
            return context.wrap_socket(raw, server_hostname=configuration.tls_server_name or host)
        except OSError as error:
            if raw is not None:
                raw.close()
            if not left or isinstance(error, ssl.SSLCertVerificationError):
                raise no_answer(part, configuration.host, error) from error
            time.sleep(_PAUSE_S)
    raise AssertionError("the last attempt returns or raises")


def _exit_code(raw: bytes, part: str) -> int:
    """The program's exit code out of the Status object that ends the stream."""
    try:
        status = json.loads(raw)
    except ValueError:
        raise ServiceFailed(part, f"the program's end was not told: {raw[:200]!r}") from None
    if status.get("status") == "Success":
        return 0
    for cause in status.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ServiceFailed(part, f"the program could not be run: {status.get('message', raw[:200])}")
