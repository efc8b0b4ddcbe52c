"""How `replay run` connects: options of its own, as there are many of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tasks.replay.run import Options


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Connecting:
    """How the target is connected to.

    Parameters
    ----------
    http
        The version: 1.1, or 2 (by ALPN, over http:// by prior knowledge). Never falls back to the other.
    connections
        The most connections to open.
    timeout
        Seconds from the moment when a request is due, after which it has failed.
    connect_to
        ADDRESS:PORT to connect to instead, with the target's Host header and TLS name, as [::1]:8443.
    source_address
        An address of this machine to connect from; given several times, they take turns.
    ca_file
        Certificates (PEM) of the authority to trust, in place of the system's.
    allow
        An address that may be loaded, beside loopback.
    """

    http: Literal["1.1", "2"] = "1.1"
    connections: int = 64
    timeout: float = 10.0
    connect_to: str = ""
    source_address: tuple[str, ...] = ()
    ca_file: Path | None = None
    allow: tuple[str, ...] = ()


def options_of(connecting: Connecting) -> Options:
    """As the replay knows them."""
    from tasks.replay.run import Options

    return Options(
        http=connecting.http,
        connections=connecting.connections,
        timeout_s=connecting.timeout,
        connect_to=connecting.connect_to,
        source_addresses=connecting.source_address,
        ca_file=str(connecting.ca_file or ""),
        allow=connecting.allow,
    )
