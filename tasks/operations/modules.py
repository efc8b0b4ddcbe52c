"""Kernel modules: loaded now, and at every boot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.change import Change, Run
from inventory.models.command import Command
from tasks.facts.files import FileFact
from tasks.facts.modules import State
from tasks.operations import files
from tasks.operations.files import Wanted

PATH = "/etc/modules-load.d/safe-harbor.conf"


def wanted(names: Sequence[str], path: str = PATH) -> Wanted:
    """The file that loads them at boot."""
    return Wanted(path, "".join(f"{name}\n" for name in ("# written by safe-harbor", *names)).encode())


def plan(
    host: str,
    fact: Mapping[str, State],
    file: Mapping[str, FileFact],
    names: Sequence[str],
    *,
    path: str = PATH,
) -> list[Change]:
    """Load what can be loaded. A module that the kernel does not have is the admission check's to refuse."""
    changes = files.plan(
        host, file, (wanted(names, path),), "the cluster's network needs these modules at boot"
    )
    for name in names:
        if fact[name] is State.LOADABLE:
            undo = (Run(Command.of("modprobe", "-r", name)),)
            load = (Run(Command.of("modprobe", name)),)
            why = "the cluster's network needs it"
            changes.append(Change(host, f"kernel module {name}", why, "not loaded", "loaded", load, undo))
    return changes
