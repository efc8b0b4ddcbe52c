"""The clock of a host, and whether something keeps it right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields


@dataclass(frozen=True)
class HostClock:
    """The host's time when it was asked; `synchronized` is what the kernel and systemd say about NTP.

    `ntp_offset_s` is what the host's own NTP client says that it is off by (chronyd or systemd-timesyncd),
    None where there is none that says.
    """

    now: datetime
    synchronized: bool
    ntp_offset_s: float | None = None


_PROGRAM = r"""
printf '%s\t%s\n' "$(date +%s.%N)" \
  "$(timedatectl show --property=NTPSynchronized --value 2>/dev/null || echo no)"
if command -v chronyc > /dev/null; then
  chronyc -c tracking 2>/dev/null | cut -d, -f5 | sed -n 's/^[-+0-9.e]*$/offset &s/p'
else
  timedatectl timesync-status 2>/dev/null | sed -n 's/^ *Offset: */offset /p'
fi
"""
# timedatectl writes a time span as systemd.time(7) has it: +1.234ms, -58us, +1min 2.5s.
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h)")
_UNIT_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def command() -> Shellable:
    """Ask for all of it."""
    return Script.of(_PROGRAM)


def parse(output: str) -> HostClock:
    """Raises ValueError where it is no time."""
    first, *rest = output.splitlines()
    seconds, synchronized = fields(first, 2)
    offset = next((line.removeprefix("offset ") for line in rest if line.startswith("offset ")), "")
    return HostClock(
        datetime.fromtimestamp(float(seconds), UTC),
        synchronized == "yes",
        _span_s(offset) if offset else None,
    )


def _span_s(text: str) -> float:
    parts = _SPAN.findall(text)
    if not parts:
        raise ValueError(f"not a time span: {text!r}")
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def ask() -> Asked[HostClock]:
    """The question."""
    return Asked("clock", command(), parse)
