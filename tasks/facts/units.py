"""systemd units: loaded, enabled, active, and whether the program that runs is still the file on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,NRestarts,MainPID"
# $1 the properties; then the units. The kernel adds " (deleted)" to the path of a program that was replaced.
_PROGRAM = """
properties=$1; shift
systemctl show --no-pager --property="$properties" -- "$@" | while IFS= read -r line; do
  printf '%s\\n' "$line"
  case $line in
    MainPID=0) ;;
    MainPID=*) printf 'Program=%s\\n' "$(readlink "/proc/${line#*=}/exe")" ;;
  esac
done
"""
_REPLACED = " (deleted)"  # proc_pid_exe(5)


@dataclass(frozen=True)
class Unit:
    """A unit as systemd has it; `load` is `not-found` where there is none."""

    name: str
    load: str
    active: str
    sub: str
    enabled: str
    needs_reload: bool
    restarts: int
    program: str = ""  # of its main process, as the kernel names it

    @property
    def replaced(self) -> bool:
        """Whether it still runs a program whose file was replaced since its start."""
        return self.program.endswith(_REPLACED)

    @property
    def running(self) -> bool:
        """Whether it is up."""
        return self.active == "active"


def command(names: Sequence[str]) -> Shellable:
    """Ask for these units, with their suffix (`etcd.service`)."""
    return Script.of(_PROGRAM, _PROPERTIES, *names)


def parse(output: str) -> Mapping[str, Unit]:
    """Raises ValueError or KeyError where a block is no unit's."""
    found: dict[str, Unit] = {}
    for block in output.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        found[values["Id"]] = Unit(
            values["Id"],
            values["LoadState"],
            values["ActiveState"],
            values["SubState"],
            values["UnitFileState"],
            values["NeedDaemonReload"] == "yes",
            int(values.get("NRestarts") or 0),
            values.get("Program", ""),
        )
    return found


def ask(names: Sequence[str]) -> Asked[Mapping[str, Unit]]:
    """The question."""
    return Asked("systemd units", command(names), parse)
