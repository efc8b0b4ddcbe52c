"""Which Linux capabilities the services of a host can have: the bounding set of its PID 1."""

from __future__ import annotations

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked

CAP_NET_ADMIN = 12  # numbers of linux/capability.h
CAP_SYS_ADMIN = 21
CAP_SYS_RESOURCE = 24


def command() -> Shellable:
    """Ask for the bounding set."""
    return Command.of("grep", "^CapBnd:", "/proc/1/status")


def parse(output: str) -> frozenset[int]:
    """The numbers of the capabilities. Raises ValueError where the line is none."""
    key, _, bits = output.strip().partition(":")
    if key != "CapBnd":
        raise ValueError(f"no bounding set in {output!r}")
    mask = int(bits.strip(), 16)
    return frozenset(number for number in range(mask.bit_length()) if mask >> number & 1)


def ask() -> Asked[frozenset[int]]:
    """The question."""
    return Asked("capabilities", command(), parse)
