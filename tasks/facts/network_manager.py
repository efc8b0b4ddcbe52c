"""What NetworkManager's connections say of a card's settings. Their secrets stay on the host."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# Only the sections that name a card and its settings: others hold passwords.
_PROGRAM = r"""
for folder in /etc /run /usr/lib; do
  for file in "$folder"/NetworkManager/system-connections/*; do
    [ -f "$file" ] && [ -r "$file" ] && awk '
      /^\[/ { section = $0; gsub(/[][]/, "", section); next }
      section ~ /^(connection|ethernet|802-3-ethernet|ethtool)$/ && /=/ && !/^#/ {
        print FILENAME "\t" FNR "\t" section "\t" $0
      }' "$file"
  done
done
exit 0
"""


@dataclass(frozen=True)
class Entry:
    """A line of a connection's file."""

    path: str
    line: int
    section: str
    key: str
    value: str


def command() -> Shellable:
    """Ask for all connections."""
    return Script.of(_PROGRAM)


def parse(output: str) -> tuple[Entry, ...]:
    """Raises ValueError where a line is none of a connection's."""
    found = []
    for row in output.splitlines():
        path, number, section, text = row.split("\t", 3)
        key, _, value = text.partition("=")
        found.append(Entry(path, int(number), section, key.strip(), value.strip()))
    return tuple(found)


def ask() -> Asked[tuple[Entry, ...]]:
    """The question."""
    return Asked("connections of NetworkManager", command(), parse)
