"""The IPv4 neighbour table's own statistics: how full it is, and how often it refused an entry.

/proc/net/stat/arp_cache has one row a processor, in hexadecimal, and is there only in the initial network
namespace; `entries` is the same total in each row (net/core/neighbour.c).
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script
from tasks.facts.asked import Asked

FILE = "/proc/net/stat/arp_cache"


@dataclass(frozen=True)
class NeighbourCache:
    """`table_fulls` sums over the processors since the boot."""

    entries: int
    table_fulls: int


def parse(output: str) -> NeighbourCache | None:
    """None where the host does not show it. Raises ValueError or KeyError where it is something else."""
    lines = [line.split() for line in output.splitlines() if line.strip()]
    if not lines:
        return None
    head, *rows = lines
    values = [dict(zip(head, (int(word, 16) for word in row), strict=True)) for row in rows]
    return NeighbourCache(values[0]["entries"], sum(row["table_fulls"] for row in values))


def ask() -> Asked[NeighbourCache | None]:
    """The question; an absent file is an empty answer."""
    return Asked("neighbour cache", Script.of('[ ! -e "$1" ] || cat "$1"', FILE), parse)
