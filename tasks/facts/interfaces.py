"""Network interfaces: MTU, hardware address, IP addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Interface:
    """`addresses` are with their prefix length; `up` is the operational state (unknown counts as up)."""

    name: str
    mtu: int
    mac: str
    up: bool
    addresses: tuple[str, ...]


def command() -> Shellable:
    """Ask for all interfaces."""
    return Command.of("ip", "-json", "address", "show")


def parse(output: str) -> Mapping[str, Interface]:
    """Raises ValueError or KeyError where it is not iproute2's JSON."""
    rows = json.loads(output)
    if not isinstance(rows, list):
        raise ValueError("a list of interfaces expected")
    return {
        row["ifname"]: Interface(
            row["ifname"],
            int(row["mtu"]),
            row.get("address", ""),
            row.get("operstate") in ("UP", "UNKNOWN"),
            tuple(f"{entry['local']}/{entry['prefixlen']}" for entry in row["addr_info"] if "local" in entry),
        )
        for row in rows
        if row  # iproute2 prints empty objects for what a filter left out
    }


def ask() -> Asked[Mapping[str, Interface]]:
    """The question."""
    return Asked("interfaces", command(), parse)
