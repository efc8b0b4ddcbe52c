"""Whether a link leaves the checksums of what it sends to the card beneath it (tx-checksum-ip-generic)."""

from __future__ import annotations

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

FEATURE = "tx-checksum-ip-generic"
# $1 the link, $2 the feature.
_PROGRAM = """
[ -e "/sys/class/net/$1" ] || { echo absent; exit 0; }
command -v ethtool > /dev/null || { echo unknown; exit 0; }
ethtool -k "$1" | sed -n "s/^[[:space:]]*$2: \\(on\\|off\\).*/\\1/p"
"""


def command(link: str) -> Shellable:
    """Ask for one link."""
    return Script.of(_PROGRAM, link, FEATURE)


def parse(output: str) -> bool | None:
    """None where there is no such link, or no ethtool to ask it. Raises ValueError for anything else."""
    said = output.strip()
    if said in ("absent", "unknown"):
        return None
    if said not in ("on", "off"):
        raise ValueError(f"{FEATURE} is {said[:40]!r}")
    return said == "on"


def ask(link: str) -> Asked[bool | None]:
    """The question."""
    return Asked(f"checksums of {link}", command(link), parse)
