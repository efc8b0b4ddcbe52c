"""The features of a host's processors, as the kernel names them."""

from __future__ import annotations

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


def command() -> Shellable:
    """Ask for the features of every processor, each set once."""
    return Command.of("grep", "-E", "^flags[[:space:]]*:", "/proc/cpuinfo") | Command.of("sort", "-u")


def parse(output: str) -> frozenset[str]:
    """What every processor has. Raises ValueError where there is no such line."""
    sets = [frozenset(line.partition(":")[2].split()) for line in output.splitlines()]
    if not sets or not all(sets):
        raise ValueError(f"no processor features in {output[:100]!r}")
    return frozenset.intersection(*sets)


def ask() -> Asked[frozenset[str]]:
    """The question."""
    return Asked("processor features", command(), parse)
