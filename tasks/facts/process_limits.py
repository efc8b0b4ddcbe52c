"""The limits that services' main processes run with: a drop-in counts from the next start on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# A process that ends meanwhile has no limits any more: its unit is then one that does not run.
_PROGRAM = """
echo "@nr_open $(cat /proc/sys/fs/nr_open)"
for unit do
  pid=$(systemctl show --no-pager --property=MainPID --value -- "$unit") || exit 1
  echo "@unit $unit"
  [ "${pid:-0}" = 0 ] || cat "/proc/$pid/limits" 2>/dev/null
done
exit 0
"""
_NAMES = {
    "Max open files": "LimitNOFILE",
    "Max processes": "LimitNPROC",
    "Max locked memory": "LimitMEMLOCK",
    "Max core file size": "LimitCORE",
}
_ROW = re.compile(r"(Max [a-z ]+?) {2,}(unlimited|\d+) +(unlimited|\d+) ")


@dataclass(frozen=True)
class ProcessLimits:
    """Unit -> its limits (none: it does not run), by systemd's name -> (soft, hard), `unlimited` or a number.

    `nr_open` is the most files that the kernel allows: what `infinity` becomes for them.
    """

    nr_open: int
    units: Mapping[str, Mapping[str, tuple[str, str]]]


def command(units: Sequence[str]) -> Shellable:
    """Ask for these units."""
    return Script.of(_PROGRAM, *units)


def parse(output: str) -> ProcessLimits:
    """Raises ValueError where it is not that program's output."""
    head, *lines = output.splitlines() or [""]
    word, _, most = head.partition(" ")
    if word != "@nr_open":
        raise ValueError(f"no limits of processes: {head!r}")
    units: dict[str, dict[str, tuple[str, str]]] = {}
    current: dict[str, tuple[str, str]] | None = None
    for line in lines:
        if line.startswith("@unit "):
            current = units.setdefault(line.removeprefix("@unit "), {})
        elif current is None:
            raise ValueError(f"limits of no unit: {line!r}")
        elif (row := _ROW.match(line)) and row[1] in _NAMES:
            current[_NAMES[row[1]]] = (row[2], row[3])
    return ProcessLimits(int(most), units)


def ask(units: Sequence[str]) -> Asked[ProcessLimits]:
    """The question."""
    return Asked("limits of processes", command(units), parse)
