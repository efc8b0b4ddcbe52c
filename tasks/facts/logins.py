"""From where people logged in: the addresses of wtmp, as last(1) tells them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
if ! command -v last >/dev/null || [ ! -r /var/log/wtmp ]; then echo unseen; exit 0; fi
echo seen
last --ip --fullnames --limit 2000
"""


@dataclass(frozen=True)
class Logins:
    """`addresses` of remote logins, None where the host keeps no record of them."""

    addresses: tuple[str, ...] | None


def command() -> Shellable:
    """Ask for the record."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Logins:
    """Raises ValueError where it is no answer of ours."""
    head, *lines = output.splitlines() or [""]
    if head == "unseen":
        return Logins(None)
    if head != "seen":
        raise ValueError("the first line says neither seen nor unseen")
    found = set()
    for line in lines:
        words = line.split()
        if len(words) < 3 or words[0] in ("reboot", "shutdown", "runlevel"):
            continue
        try:
            address = ip_address(words[2])
        except ValueError:
            continue  # a login at the console
        if not address.is_unspecified:
            found.add(str(address))
    return Logins(tuple(sorted(found)))


def ask() -> Asked[Logins]:
    """The question."""
    return Asked("logins", command(), parse)
