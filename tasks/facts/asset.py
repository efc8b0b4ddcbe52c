"""What ties a host to a machine that one can touch: its asset tag."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
for name in chassis_asset_tag board_asset_tag; do
  file=/sys/class/dmi/id/$name
  if [ -r "$file" ]; then printf 'tag %s\\n' "$(cat "$file")"; fi
done
"""
_EMPTY = {"", "none", "not specified", "default string", "to be filled by o.e.m.", "n/a", "no asset tag"}


@dataclass(frozen=True)
class Asset:
    """`tag` is empty where the firmware has none, or only its maker's filler."""

    tag: str


def command() -> Shellable:
    """Ask for it."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Asset:
    """Never raises: lines that it does not know are left alone."""
    lines = [line.strip() for line in output.splitlines()]
    tags = [line.removeprefix("tag").strip() for line in lines if line.startswith("tag")]
    return Asset(next((tag for tag in tags if tag.lower() not in _EMPTY), ""))


def ask() -> Asked[Asset]:
    """The question."""
    return Asked("asset", command(), parse)
