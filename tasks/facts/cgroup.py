"""The cgroup version that a host runs: 1 (or the hybrid layout) or 2."""

from __future__ import annotations

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


def command() -> Shellable:
    """Ask for the file system type of /sys/fs/cgroup."""
    return Command.of("stat", "-fc", "%T", "/sys/fs/cgroup")


def parse(output: str) -> int:
    """1 or 2. Raises ValueError where it is neither."""
    versions = {"cgroup2fs": 2, "tmpfs": 1}
    kind = output.strip()
    if kind not in versions:
        raise ValueError(f"/sys/fs/cgroup is a {kind!r}, known are {', '.join(versions)}")
    return versions[kind]


def ask() -> Asked[int]:
    """The question."""
    return Asked("cgroup version", command(), parse)
