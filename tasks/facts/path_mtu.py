"""Which packets pass to other hosts unfragmented: a ping each that fills the MTU, else a small one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

HEADERS = 28  # of IPv4 and ICMP, which ping does not count
_PROGRAM = """
interface=$1; shift
command -v ping > /dev/null || { echo 'no ping'; exit 0; }
mtu=$(cat "/sys/class/net/$interface/mtu")
for peer do
  (
    small=no; full=no
    if ping -n -q -c 2 -i 0.2 -W 1 -M do -s "$((mtu - 28))" "$peer" > /dev/null 2>&1; then full=yes; small=yes
    elif ping -n -q -c 2 -i 0.2 -W 1 "$peer" > /dev/null 2>&1; then small=yes
    fi
    printf '%s\\t%s\\t%s\\t%s\\n' "$peer" "$mtu" "$small" "$full"
  ) &
done
wait
"""


@dataclass(frozen=True)
class Path:
    """The way to one peer: whether a small packet passes, and one of `mtu` bytes that may not be cut."""

    mtu: int
    small: bool
    full: bool


def command(interface: str, peers: Sequence[str]) -> Shellable:
    """Ask for the ways to these addresses."""
    return Script.of(_PROGRAM, interface, *peers)


def parse(output: str) -> Mapping[str, Path] | None:
    """Peer -> path; None where the host has no ping. Raises ValueError where a line is no path."""
    if output.strip() == "no ping":
        return None
    found = {}
    for line in output.splitlines():
        peer, mtu, small, full = fields(line, 4)
        if {small, full} - {"yes", "no"}:
            raise ValueError(f"not a path: {line!r}")
        found[peer] = Path(int(mtu), small == "yes", full == "yes")
    return found


def ask(interface: str, peers: Sequence[str]) -> Asked[Mapping[str, Path] | None]:
    """The question."""
    return Asked("path MTU", command(interface, peers), parse)
