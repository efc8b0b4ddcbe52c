"""IPv4 routes of the main table."""

from __future__ import annotations

import json
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Route:
    """`destination` is a network, an address or `default`; `via` is empty for a network on the link."""

    destination: str
    via: str
    device: str
    onlink: bool


def command() -> Shellable:
    """Ask for the main table."""
    return Command.of("ip", "-4", "-json", "route", "show")


def parse(output: str) -> tuple[Route, ...]:
    """Raises ValueError or KeyError where it is not iproute2's JSON."""
    return tuple(
        Route(row["dst"], row.get("gateway", ""), row.get("dev", ""), "onlink" in row.get("flags", []))
        for row in json.loads(output)
        if row
    )


def ask() -> Asked[tuple[Route, ...]]:
    """The question."""
    return Asked("routes", command(), parse)
