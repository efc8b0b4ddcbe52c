"""The clock of a host, and whether something keeps it right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields


@dataclass(frozen=True)
class HostClock:
    """The host's time when it was asked; `synchronized` is what the kernel and systemd say about NTP."""

    now: datetime
    synchronized: bool


def command() -> Shellable:
    """Ask for both."""
    return Script.of(
        'printf "%s\\t%s\\n" "$(date +%s.%N)" '
        '"$(timedatectl show --property=NTPSynchronized --value 2>/dev/null || echo no)"'
    )


def parse(output: str) -> HostClock:
    """Raises ValueError where it is no time."""
    seconds, synchronized = fields(output.rstrip("\n"), 2)
    return HostClock(datetime.fromtimestamp(float(seconds), UTC), synchronized == "yes")


def ask() -> Asked[HostClock]:
    """The question."""
    return Asked("clock", command(), parse)
