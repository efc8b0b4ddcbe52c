"""The way to the cluster's scheduler: which addresses are taken, and that nobody listens in on it.

Dask runs whatever code a client sends, and sends what a client asks for: the connection is TLS with
certificates on both sides, or within this machine, or somebody says that the network is private.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from distributed import Client, Security

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable

CONNECT_WITHIN_S = 10


@dataclass(frozen=True)
class Spread:
    """Which generators make the run. `generators` is how many there must be; 0: as many as there are."""

    scheduler: str  # tls://HOST:PORT or tcp://HOST:PORT
    generators: int = 0
    tls_ca_file: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    unencrypted: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheduler.startswith("tls:")


def security_of(spread: Spread) -> Security | None:
    """What the client needs for TLS; None without. Raises BadInput for what is not allowed."""
    host = _host(spread.scheduler)
    files = {"--tls-ca-file": spread.tls_ca_file, "--tls-cert": spread.tls_cert, "--tls-key": spread.tls_key}
    if spread.generators < 0:
        raise BadInput(f"{spread.generators} generators; allowed: 1 and more, or 0 for as many as there are")
    if not spread.encrypted:
        if any(files.values()):
            raise BadInput(f"{spread.scheduler} speaks no TLS; with --tls files write tls://HOST:PORT")
        if not spread.unencrypted and not _within_this_machine(host):
            raise BadInput(
                f"{spread.scheduler} is another machine and unencrypted: whoever reaches it runs code on the "
                "generators; use tls://, or say --spread-unencrypted where the network is private"
            )
        return None
    for option, file in files.items():
        if not file:
            raise BadInput(f"{spread.scheduler} wants {option} FILE")
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise BadInput(f"{option} cannot be read: {error.strerror}", file) from error
    return Security(
        require_encryption=True,
        tls_ca_file=spread.tls_ca_file,
        tls_client_cert=spread.tls_cert,
        tls_client_key=spread.tls_key,
    )


async def connected(spread: Spread) -> Client:
    """A client, to be closed. Raises BadInput, HostUnreachable."""
    security = security_of(spread)
    try:
        client: Client = await Client(
            spread.scheduler,
            security=security,
            asynchronous=True,
            set_as_default=False,
            timeout=CONNECT_WITHIN_S,
            name="safe-harbor",
        )
        return client
    except OSError as error:  # also what is wrong with a certificate
        cause = error.__cause__ or error
        raise HostUnreachable(
            spread.scheduler, f"no connection to the scheduler ({cause})", "start it: dask scheduler"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether that is an address within this machine; a name is none."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("tcp", "tls") or not parts.hostname or not port or parts.path:
        raise BadInput(f"--spread {url} is not a scheduler; allowed: tls://HOST:PORT or tcp://HOST:PORT")
    return parts.hostname


def _within_this_machine(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise HostUnreachable(host, f"the name has no address ({error})", "check --spread") from error
    return all(is_loopback(str(entry[4][0])) for entry in found)
