"""How a host's sshd lets people in: the settings in force, as sshd itself prints them."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked

WANTED = ("permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords")


def command() -> Shellable:
    """Ask for the settings in force."""
    return Command.of("sshd", "-T")


def parse(output: str) -> Mapping[str, str]:
    """Setting -> value, of those that are judged. Raises ValueError where one is missing."""
    values = dict(line.split(" ", 1) for line in output.splitlines() if " " in line)
    missing = [name for name in WANTED if name not in values]
    if missing:
        raise ValueError(f"sshd does not tell {', '.join(missing)}")
    return {name: values[name].strip() for name in WANTED}


def ask() -> Asked[Mapping[str, str]]:
    """The question."""
    return Asked("sshd", command(), parse)
