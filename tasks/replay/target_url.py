"""Where the load goes, and whether it may go there.

Only loopback and what is named is loaded: a replay against a stranger's host would be an attack. A host
name is resolved once, before the run; the address is pinned and written into the result.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable

CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Endpoint:
    """`host_header` and `server_name` come from the URL, `address` and `port` are connected to."""

    url: str
    tls: bool
    host_header: str
    server_name: str
    address: str
    port: int

    @property
    def where(self) -> str:
        """`127.0.0.1:80` or `[::1]:80`."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def endpoint_of(url: str, allow: Sequence[str] = (), connect_to: str = "") -> Endpoint:
    """Resolves the URL's host and checks it against loopback and `allow` (names, addresses, networks).

    `connect_to` (`ADDRESS:PORT`) goes there instead, with the URL's Host header and TLS name.
    Raises BadInput for a URL or address that is not allowed, HostUnreachable where the name has no address.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise BadInput(f"{url}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"{url} is not a target; allowed: http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.username or parts.password or parts.path not in ("", "/") or parts.query:
        raise BadInput(f"{url}: a target is scheme, host and port only; the paths come from the capture")
    port = port or (443 if parts.scheme == "https" else 80)
    goal, goal_port = (parts.hostname, port) if not connect_to else _host_port(connect_to)
    address = _resolved(goal, goal_port)
    if not _allowed(goal, address, allow):
        raise BadInput(
            f"{goal} ({address}) may not be loaded; allowed are loopback and what --allow names "
            f"(now: {', '.join(allow) or 'nothing'})"
        )
    return Endpoint(url, parts.scheme == "https", parts.netloc, parts.hostname, address, goal_port)


def probe(endpoint: Endpoint) -> None:
    """One connection, closed again. Raises HostUnreachable where nothing answers."""
    try:
        socket.create_connection((endpoint.address, endpoint.port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise HostUnreachable(
            endpoint.where,
            f"no connection ({error.strerror or error})",
            "start the server, or name another --target",
        ) from error


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInput(f"--connect-to {text!r} is not ADDRESS:PORT")
    return host.strip("[]"), int(port)


def _resolved(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise HostUnreachable(
            host, f"the name has no address ({error})", "check the name and the DNS"
        ) from error
    return str(found[0][4][0])


def _allowed(host: str, address: str, allow: Sequence[str]) -> bool:
    plain = ip_address(address.partition("%")[0])
    if plain.is_loopback:
        return True
    for entry in allow:
        if entry == host:
            return True
        try:
            if plain in ip_network(entry, strict=False):
                return True
        except ValueError:
            continue  # a host name: it was compared above
    return False
