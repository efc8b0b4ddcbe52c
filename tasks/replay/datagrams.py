"""A datagram socket that knows what it has lost."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from inventory.errors import BadInput

_LONGEST_BYTES = 65_536
_SO_RCVBUFFORCE = 33  # linux/asm-generic/socket.h: above net.core.rmem_max, for root
_BUFFER_BYTES = 16 * 1024 * 1024
_INODE, _DROPS = 9, 12  # columns of /proc/net/udp


class Address(NamedTuple):
    """A loopback address and a port."""

    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"


def loopback(text: str) -> Address:
    """`127.0.0.1:5514` or `[::1]:5514`. What comes is not scrubbed yet, and has no way over a network.

    Raises BadInput.
    """
    host, _, port = text.rpartition(":")
    try:
        address = Address(ipaddress.ip_address(host.strip("[]")), int(port))
    except ValueError as error:
        raise BadInput(f"--listen {text}: write ADDRESS:PORT, as 127.0.0.1:5514") from error
    if not address.ip.is_loopback:
        raise BadInput(f"--listen {text}: only a loopback address; record on the edge's own machine")
    if not 0 < address.port < 65_536:
        raise BadInput(f"--listen {text}: a port lies between 1 and 65535")
    return address


class Datagrams:
    """Receives at a loopback address. Raises BadInput where that is taken."""

    def __init__(self, address: Address) -> None:
        six = address.ip.version == 6
        self._table = Path("/proc/net/udp6" if six else "/proc/net/udp")
        self._socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((str(address.ip), address.port))
        except OSError as error:
            self._socket.close()
            raise BadInput(f"--listen {address}: {error.strerror}") from error
        _widen(self._socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def next(self, within_s: float) -> bytes | None:
        """None where nothing came in that time."""
        self._socket.settimeout(within_s)
        try:
            return self._socket.recv(_LONGEST_BYTES)
        except TimeoutError:
            return None

    def lost(self) -> int:
        """How many came and were dropped by the kernel, as nobody took them in time."""
        return drops_of(self._table.read_text(), os.fstat(self._socket.fileno()).st_ino)


def drops_of(table: str, inode: int) -> int:
    """The drops of a socket in the text of /proc/net/udp. Raises LookupError where it is not in it."""
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[_INODE] == str(inode):
            return int(columns[_DROPS])
    raise LookupError(f"no socket {inode} in the kernel's table")


def _widen(opened: socket.socket) -> None:
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
