"""The kernel's network counters of one namespace: /proc/net/snmp and /proc/net/netstat.

Both files have pairs of lines, names and then values, each pair with the protocol before it
(net/ipv4/proc.c). They only rise, from the namespace's start.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.command import Command
from tasks.facts.asked import Asked

FILES = ("/proc/net/snmp", "/proc/net/netstat")


def parse(output: str) -> Mapping[str, int]:
    """`Udp.InCsumErrors` -> its value. Raises ValueError where names and values do not go together."""
    found: dict[str, int] = {}
    lines = [line for line in output.splitlines() if line.strip()]
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, *columns = names.split()
        same, *numbers = values.split()
        if protocol != same:
            raise ValueError(f"counters of {protocol} {same}")
        for column, number in zip(columns, numbers, strict=True):
            found[f"{protocol.rstrip(':')}.{column}"] = int(number)
    return found


def ask() -> Asked[Mapping[str, int]]:
    """The question to a node about its own namespace."""
    return Asked("network counters", Command.of("cat", *FILES), parse)
