"""Ports that are in use on a host, and by what."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked

_PROCESS = re.compile(r'\(\("([^"]*)"')


@dataclass(frozen=True)
class Listener:
    """A listening TCP or bound UDP socket; `program` is empty where the kernel does not say."""

    protocol: str
    address: str
    port: int
    program: str


def command() -> Shellable:
    """Ask for all listeners."""
    return Command.of("ss", "-H", "-l", "-n", "-t", "-u", "-p")


def parse(output: str) -> tuple[Listener, ...]:
    """Raises ValueError where a line is no socket's."""
    found = []
    for line in output.splitlines():
        words = line.split()
        if len(words) < 6 or words[0] not in ("tcp", "udp"):
            raise ValueError(f"not a listening socket: {line!r}")
        address, _, port = words[4].rpartition(":")
        program = _PROCESS.search(line)
        found.append(Listener(words[0], address, int(port), program.group(1) if program else ""))
    return tuple(found)


def ask() -> Asked[tuple[Listener, ...]]:
    """The question."""
    return Asked("ports", command(), parse)
