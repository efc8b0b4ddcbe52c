"""What is mounted on a host, and where there is room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Mount:
    """One mount; `options` as the kernel shows them."""

    source: str
    path: str
    kind: str
    options: tuple[str, ...]


def command() -> Shellable:
    """Ask for all mounts."""
    return Command.of("cat", "/proc/self/mounts")


def parse(output: str) -> Mapping[str, Mount]:
    """Path -> the mount that is on top. Raises ValueError where a line is none."""
    found = {}
    for line in output.splitlines():
        words = line.split(" ")
        if len(words) != 6:
            raise ValueError(f"not a mount: {line!r}")
        # The kernel writes blanks of a path in octal (proc(5)).
        path = words[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        found[path] = Mount(words[0], path, words[2], tuple(words[3].split(",")))
    return found


def ask() -> Asked[Mapping[str, Mount]]:
    """The question."""
    return Asked("mounts", command(), parse)
