"""systemd units: loaded, enabled, active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked

_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,NRestarts"


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

    @property
    def running(self) -> bool:
        """Whether it is up."""
        return self.active == "active"


def command(names: Sequence[str]) -> Shellable:
    """Ask for these units, with their suffix (`etcd.service`)."""
    return Command.of("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *names)


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
        )
    return found


def ask(names: Sequence[str]) -> Asked[Mapping[str, Unit]]:
    """The question."""
    return Asked("systemd units", command(names), parse)
