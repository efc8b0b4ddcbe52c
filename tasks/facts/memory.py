"""Memory, swap and processors of a host."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Memory:
    """Sizes in KiB, as the kernel counts; `swaps` are the areas in use."""

    total_kib: int
    available_kib: int
    swap_total_kib: int
    swaps: tuple[str, ...]
    processors: int


def command() -> Shellable:
    """Ask for all of it."""
    return Script.of("nproc --all; echo --- | cat /proc/meminfo - /proc/swaps")


def parse(output: str) -> Memory:
    """Raises ValueError or KeyError where a part is missing."""
    information, parted, swaps = output.partition("\n---\n")
    if not parted:
        raise ValueError("the list of swaps is missing")
    first, *lines = information.splitlines()
    sizes = {key: int(value.split()[0]) for key, value in (line.split(":", 1) for line in lines)}
    areas = tuple(line.split()[0] for line in swaps.splitlines()[1:] if line.strip())
    return Memory(sizes["MemTotal"], sizes["MemAvailable"], sizes["SwapTotal"], areas, int(first))


def ask() -> Asked[Memory]:
    """The question."""
    return Asked("memory", command(), parse)
