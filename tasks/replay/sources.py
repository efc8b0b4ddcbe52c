"""Source addresses of a load: one address has about 28,000 ports towards a target, several have more."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

from inventory.errors import BadInput

# linux/in.h; the socket module of Python 3.11 has no name for it.
_IP_BIND_ADDRESS_NO_PORT = 24


def tcp_socket(address: str) -> socket.socket:
    """A non-blocking TCP socket of this address's kind of IP."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


def bound_socket(address: str) -> socket.socket:
    """A non-blocking TCP socket that will connect from this address.

    Its port is chosen when it connects, where only the pair with the target has to be free; a plain bind
    takes a port of the address for all targets (IP_BIND_ADDRESS_NO_PORT, ip(7)). Raises OSError.
    """
    made = tcp_socket(str(ip_address(address)))
    try:
        made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((address, 0))
    except OSError:
        made.close()
        raise
    return made


def check_sources(addresses: Sequence[str], target: str) -> None:
    """Raises BadInput for what is no address of this machine, or not of the target's kind."""
    for address in addresses:
        try:
            same = ip_address(address).version == ip_address(target).version
            if same:
                bound_socket(address).close()
        except (ValueError, OSError) as error:
            raise BadInput(
                f"--source-address {address}: {error}; allowed: an address of this machine (ip address)"
            ) from error
        if not same:
            raise BadInput(
                f"--source-address {address} cannot reach {target}: one is IPv4 and the other IPv6; allowed: "
                "addresses of the target's kind"
            )
