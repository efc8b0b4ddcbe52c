"""A VXLAN link's neighbours and its forwarding database: where a peer's packets go."""

from __future__ import annotations

import json
from dataclasses import dataclass

from inventory.models.command import Command
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Neighbour:
    """An IPv4 neighbour; `states` as `ip neigh` has them (PERMANENT, REACHABLE, ...)."""

    address: str
    mac: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class Forwarding:
    """A forwarding entry: frames for `mac` go to `destination`."""

    mac: str
    destination: str


def parse_neighbours(output: str) -> tuple[Neighbour, ...]:
    """Raises ValueError or KeyError where it is not iproute2's JSON."""
    return tuple(
        Neighbour(row["dst"], row.get("lladdr", ""), tuple(row.get("state", ())))
        for row in json.loads(output or "[]")
        if row
    )


def ask_neighbours(device: str) -> Asked[tuple[Neighbour, ...]]:
    """The question about one link's neighbours."""
    command = Command.of("ip", "-4", "-json", "neighbour", "show", "dev", device)
    return Asked(f"neighbours of {device}", command, parse_neighbours)


def parse_forwarding(output: str) -> tuple[Forwarding, ...]:
    """Entries that name a destination. Raises ValueError or KeyError where it is not iproute2's JSON."""
    return tuple(
        Forwarding(row["mac"], row["dst"]) for row in json.loads(output or "[]") if row and "dst" in row
    )


def ask_forwarding(device: str) -> Asked[tuple[Forwarding, ...]]:
    """The question about one link's forwarding database."""
    command = Command.of("bridge", "-json", "fdb", "show", "dev", device)
    return Asked(f"forwarding database of {device}", command, parse_forwarding)
