"""IPv4 routes of the main table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Route:
    """`destination` is a network, an address or `default`; `via` is empty for a network on the link.

    `protocol` is who made it (`kernel`, `bird`, ...); empty where nobody put a name to it, as flannel.
    """

    destination: str
    via: str
    device: str
    onlink: bool
    protocol: str = ""


def command() -> Shellable:
    """Ask for the main table."""
    return Command.of("ip", "-4", "-json", "route", "show")


def parse(output: str) -> tuple[Route, ...]:
    """Raises ValueError or KeyError where it is not iproute2's JSON."""
    return tuple(
        Route(
            row["dst"],
            row.get("gateway", ""),
            row.get("dev", ""),
            "onlink" in row.get("flags", []),
            row.get("protocol", ""),
        )
        for row in json.loads(output)
        if row
    )


def ask() -> Asked[tuple[Route, ...]]:
    """The question."""
    return Asked("routes", command(), parse)


def within(route: Route, network: IPv4Network) -> bool:
    """Whether it leads to a part of this network."""
    return route.destination != "default" and IPv4Network(route.destination).subnet_of(network)
