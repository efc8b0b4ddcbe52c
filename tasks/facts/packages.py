"""Debian packages that are installed, and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# dpkg-query ends with 1 where a package is unknown to it: that is an answer. Any other code is a failure.
_PROGRAM = """
dpkg-query -W -f '${Package}\\t${db:Status-Status}\\t${Version}\\n' "$@" 2>/dev/null
[ $? -le 1 ]
"""


def command(names: Sequence[str]) -> Shellable:
    """Ask for these packages."""
    return Script.of(_PROGRAM, *names)


def parse(output: str) -> Mapping[str, str]:
    """Name -> version of every one that is installed. Raises ValueError where a line is no package's."""
    rows = [fields(line, 3) for line in output.splitlines()]
    return {name: version for name, status, version in rows if status == "installed"}


def ask(names: Sequence[str]) -> Asked[Mapping[str, str]]:
    """The question."""
    return Asked("packages", command(names), parse)
