"""The clock of a host, and what keeps it right: two questions, as the first must be answered at once.

How long the answer takes is the doubt of the time in it; systemd's daemon of time takes a while to start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from inventory.models.command import Command, Script
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Keeping:
    """`synchronized` is what the kernel and systemd say about NTP.

    `offset_s` is what the host's own NTP client says that it is off by (chronyd or systemd-timesyncd), None
    where there is none that says.
    """

    synchronized: bool
    offset_s: float | None = None


_PROGRAM = r"""
printf 'synchronized %s\n' "$(timedatectl show --property=NTPSynchronized --value 2>/dev/null || echo no)"
if command -v chronyc > /dev/null; then
  chronyc -c tracking 2>/dev/null | cut -d, -f5 | sed -n 's/^[-+0-9.e]*$/offset &s/p'
else
  timedatectl timesync-status 2>/dev/null | sed -n 's/^ *Offset: */offset /p'
fi
"""
# timedatectl writes a time span as systemd.time(7) has it: +1.234ms, -58us, +1min 2.5s.
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h)")
_UNIT_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_now(output: str) -> datetime:
    """Raises ValueError where it is no time."""
    return datetime.fromtimestamp(float(output), UTC)


def parse_keeping(output: str) -> Keeping:
    """Raises ValueError or KeyError where it does not say whether it is synchronized."""
    said = dict(line.split(" ", 1) for line in output.splitlines())
    offset = said.get("offset", "")
    return Keeping({"yes": True, "no": False}[said["synchronized"]], _span_s(offset) if offset else None)


def _span_s(text: str) -> float:
    parts = _SPAN.findall(text)
    if not parts:
        raise ValueError(f"not a time span: {text!r}")
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def ask_now() -> Asked[datetime]:
    """The question about its time."""
    return Asked("clock", Command.of("date", "+%s.%N"), parse_now)


def ask_keeping() -> Asked[Keeping]:
    """The question about what keeps it."""
    return Asked("NTP", Script.of(_PROGRAM), parse_keeping)
