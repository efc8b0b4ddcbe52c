"""Kernel modules: loaded now, and at every boot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.change import Change, Run
from inventory.models.command import Command, Script
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
    return [*changes, *loading(host, fact, names)]


def loading(host: str, fact: Mapping[str, State], names: Sequence[str]) -> list[Change]:
    """A change for each module that is not loaded and can be."""
    return [
        Change(
            host,
            f"kernel module {name}",
            "the cluster's network needs it",
            "not loaded",
            "loaded",
            (Run(Command.of("modprobe", name)),),
            (Run(_unload(name)),),
        )
        for name in names
        if fact[name] is State.LOADABLE
    ]


def unloading(host: str, fact: Mapping[str, State]) -> list[Change]:
    """A change for each of these modules that is loaded."""
    return [
        Change(host, f"kernel module {name}", "it was not loaded before", "loaded", "", (Run(_unload(name)),))
        for name in reversed(tuple(fact))
        if fact[name] is State.PRESENT
    ]


def _unload(name: str) -> Script:
    # A module that something has come to use stays until the next boot.
    return Script.of('modprobe -r -- "$1" 2>/dev/null || [ -d "/sys/module/$(echo "$1" | tr - _)" ]', name)
