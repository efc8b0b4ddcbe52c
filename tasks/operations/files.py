"""Files as they shall be on a host."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inventory.models.change import Action, Change, PutFile, RemoveFile, Run
from inventory.models.command import Script
from tasks.facts.files import FileFact

STATE = "/var/lib/safe-harbor"  # on a node: what was there before us, and which inputs a service runs with
_KEPT = f"{STATE}/before"
# The first original is kept and never overwritten, so `undo` finds what was there before any run of ours.
_KEEP = 'umask 077; mkdir -p "$(dirname "$2")" && { [ -e "$2" ] || cp -a -- "$1" "$2"; }'


@dataclass(frozen=True)
class Wanted:
    """A file: absolute path, content, mode. The content may be a secret: it is never shown."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644

    @property
    def sha256(self) -> str:
        """The content's digest."""
        return hashlib.sha256(self.content).hexdigest()


def paths(wanted: Iterable[Wanted]) -> tuple[str, ...]:
    """Their paths, to ask for."""
    return tuple(file.path for file in wanted)


def plan(host: str, fact: Mapping[str, FileFact], wanted: Iterable[Wanted], why: str) -> list[Change]:
    """A change for every file that is not as wanted. Raises KeyError where one was not asked for."""
    changes = []
    for file in wanted:
        there = fact[file.path]
        if there.exists and there.sha256 == file.sha256 and there.mode == file.mode:
            continue
        kept = _KEPT + file.path
        apply: tuple[Action, ...] = (PutFile(file.path, file.content, file.mode),)
        undo: tuple[Action, ...] = (RemoveFile(file.path),)
        if there.exists:
            apply = (Run(Script.of(_KEEP, file.path, kept)), *apply)
            undo = (Run(Script.of('rm -rf -- "$2" && cp -a -- "$1" "$2"', kept, file.path)),)
        after = f"sha256 {file.sha256[:12]}, mode {file.mode:o}"
        changes.append(Change(host, f"file {file.path}", why, str(there), after, apply, undo))
    return changes
