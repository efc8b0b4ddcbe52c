"""Which addresses host names have, as a host's own resolver answers it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

_PROGRAM = """
for name do
  addresses=$(getent ahosts "$name" | cut -d ' ' -f 1 | sort -u | tr '\\n' ' ')
  printf '%s\\t%s\\n' "$name" "$addresses"
done
"""


def command(names: Sequence[str]) -> Shellable:
    """Ask for the addresses of these names."""
    return Script.of(_PROGRAM, *names)


def parse(output: str) -> Mapping[str, tuple[str, ...]]:
    """Name -> its addresses, none where it has none. Raises ValueError where a line has no address."""
    found = {}
    for line in output.splitlines():
        name, addresses = fields(line, 2)
        found[name] = tuple(sorted(str(ip_address(each)) for each in addresses.split()))
    return found


def ask(names: Sequence[str]) -> Asked[Mapping[str, tuple[str, ...]]]:
    """The question."""
    return Asked("resolved names", command(names), parse)
