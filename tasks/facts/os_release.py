"""The distribution and the kernel of a host."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class System:
    """`kernel` is the release as uname shows it; `kernel_version` its first two numbers."""

    id: str
    version: str
    name: str
    kernel: str
    machine: str

    @property
    def kernel_version(self) -> tuple[int, int]:
        """(major, minor). Raises ValueError where the release has none."""
        major, minor = self.kernel.replace("-", ".").split(".")[:2]
        return int(major), int(minor)


def command() -> Shellable:
    """Ask for both."""
    return Script.of('set -- $(uname -rm); printf "%s\\n" "$@"; cat /etc/os-release')


def parse(output: str) -> System:
    """Raises ValueError or KeyError where a part is missing."""
    kernel, machine, *lines = output.splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    read = {key: "".join(shlex.split(value)[:1]) for key, value in values.items()}
    return System(read["ID"], read.get("VERSION_ID", ""), read.get("PRETTY_NAME", ""), kernel, machine)


def ask() -> Asked[System]:
    """The question."""
    return Asked("operating system", command(), parse)
