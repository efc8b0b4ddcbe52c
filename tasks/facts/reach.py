"""Which addresses answer to a host on a TCP port."""

from __future__ import annotations

from collections.abc import Sequence

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# $1 the port. bash opens the connection by itself: a bare host has neither curl nor nc.
_PROGRAM = """
port=$1; shift
for address do
  said=no
  if timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>/dev/null; then said=yes; fi
  printf '%s\\t%s\\n' "$address" "$said"
done
"""


def command(port: int, addresses: Sequence[str]) -> Shellable:
    """Ask a host to connect to these."""
    return Script.of(_PROGRAM, port, *addresses)


def parse(output: str) -> dict[str, bool]:
    """Address -> whether it answered. Raises ValueError or KeyError where a line is no answer."""
    found = {}
    for line in output.splitlines():
        address, said = fields(line, 2)
        found[address] = {"yes": True, "no": False}[said]
    return found


def ask(port: int, addresses: Sequence[str]) -> Asked[dict[str, bool]]:
    """The question."""
    return Asked("addresses that answer", command(port, addresses), parse)
