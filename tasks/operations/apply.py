"""Applies changes to a host: the one place where a plan becomes an effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inventory.models.change import Action, Change, PutFile, PutProgram, RemoveFile, Run
from inventory.models.command import Command
from tasks.drivers.errors import CommandFailed, OutsideError
from tasks.drivers.ports import Host


@dataclass(frozen=True)
class Applied:
    """What came of one host's changes, in their order; `failed` is the change at which it stopped."""

    host: str
    done: tuple[Change, ...]
    failed: Change | None = None
    error: OutsideError | None = None

    @property
    def ok(self) -> bool:
        """Whether every change was applied."""
        return self.failed is None


def apply(host: Host, change: Change) -> None:
    """Apply one change. Raises ValueError where it is another host's, and what the host raises."""
    if change.host != host.name:
        raise ValueError(f"a change of {change.host} was given to {host.name}")
    try:
        for action in change.apply:
            _act(host, action)
    except CommandFailed as error:
        raise CommandFailed(host.name, f"{change.subject}: {error.what}", error.remedy) from None


def undo(host: Host, change: Change) -> None:
    """Restore what was there before the change. Raises like `apply`."""
    if change.host != host.name:
        raise ValueError(f"a change of {change.host} was given to {host.name}")
    for action in change.undo:
        _act(host, action)


def apply_all(
    host: Host,
    changes: Sequence[Change],
    before: Callable[[Change], None] = lambda _: None,
    after: Callable[[Change], None] = lambda _: None,
) -> Applied:
    """Apply them in order and stop at the first failure of the outside.

    `before` and `after` are called around each change (intent, outcome); `after` only where it was applied.
    """
    done: list[Change] = []
    for change in changes:
        before(change)
        try:
            apply(host, change)
        except OutsideError as error:
            return Applied(host.name, tuple(done), change, error)
        done.append(change)
        after(change)
    return Applied(host.name, tuple(done))


def _act(host: Host, action: Action) -> None:
    match action:
        case Run(command, stdin, timeout_s):
            host.check(command, stdin=stdin, timeout_s=timeout_s)
        case PutFile(path, content, mode):
            host.put_file(path, content, mode=mode)
        case PutProgram(path, source, sha256, mode):
            host.put_program(path, Path(source), sha256, mode=mode)
        case RemoveFile(path):
            host.check(Command.of("rm", "-f", "--", path))
