"""What a network interface does in hardware (or in one go), as `ethtool -k` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
command -v ethtool > /dev/null || { echo 'no ethtool'; exit 0; }
ethtool -k "$1"
"""


@dataclass(frozen=True)
class Feature:
    """`fixed`: nobody can change it."""

    on: bool
    fixed: bool


def command(interface: str) -> Shellable:
    """Ask for one interface's features."""
    return Script.of(_PROGRAM, interface)


def parse(output: str) -> Mapping[str, Feature] | None:
    """Name -> feature; None where the host has no ethtool. Raises ValueError where a line is no feature."""
    if output.strip() == "no ethtool":
        return None
    found = {}
    for line in output.splitlines()[1:]:
        name, colon, value = line.strip().partition(": ")
        state, *marks = value.split()
        if not colon or state not in ("on", "off"):
            raise ValueError(f"not a feature: {line!r}")
        found[name] = Feature(state == "on", "[fixed]" in marks)
    if not found:
        raise ValueError("no features")
    return found


def ask(interface: str) -> Asked[Mapping[str, Feature] | None]:
    """The question."""
    return Asked(f"offloads of {interface}", command(interface), parse)
