"""What should be unique to a host: machine id, product UUID, host name."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

_PROGRAM = """
first() { line=; if [ -r "$1" ]; then IFS= read -r line < "$1" || true; fi; printf '%s' "$line"; }
first /etc/machine-id; printf '\\t'
first /sys/class/dmi/id/product_uuid; printf '\\t'
first /proc/sys/kernel/hostname; echo
"""


@dataclass(frozen=True)
class Identity:
    """`product_uuid` is empty where the host does not show one."""

    machine_id: str
    product_uuid: str
    hostname: str


def command() -> Shellable:
    """Ask for all three."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Identity:
    """Raises ValueError where there is no machine id."""
    machine_id, product_uuid, hostname = fields(output.rstrip("\n"), 3)
    if len(machine_id) != 32:
        raise ValueError(f"no machine id: {machine_id!r}")
    return Identity(machine_id, product_uuid.lower(), hostname)


def ask() -> Asked[Identity]:
    """The question."""
    return Asked("machine id", command(), parse)
