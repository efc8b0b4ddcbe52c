"""Applies changes to a host: the one place where a plan becomes an effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inventory.models.change import Action, Change, PutFile, PutProgram, RemoveFile, Run
from inventory.models.command import Command
from tasks.drivers.errors import CommandFailed, OutsideError
from tasks.drivers.ports import Host
from tasks.operations.batch import batches, compose, parse


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
        raise _about(change, error) from None


def undo(host: Host, change: Change) -> None:
    """Restore what was there before the change. Raises like `apply`."""
    if change.host != host.name:
        raise ValueError(f"a change of {change.host} was given to {host.name}")
    for action in change.undo:
        _act(host, action)


def apply_all(
    host: Host, changes: Sequence[Change], after: Callable[[Sequence[Change]], None] = lambda _: None
) -> Applied:
    """Apply them in order, in as few round trips as may be, and stop at the first failure of the outside.

    `after` is told of all changes that are done, whenever there are more. Where the connection is lost in a
    round trip, what was done in it counts as not done. Raises ValueError where one is another host's.
    """
    for change in changes:
        if change.host != host.name:
            raise ValueError(f"a change of {change.host} was given to {host.name}")
    actions = [(number, action) for number, change in enumerate(changes) for action in change.apply]
    begun = 0  # actions that are done
    whole = 0  # changes all of whose actions are done
    error: OutsideError | None = None
    for batch in batches(action for _, action in actions):
        came, error = _together(host, batch)
        begun += came
        so_far = actions[begun][0] if begun < len(actions) else len(changes)
        if so_far > whole:
            whole = so_far
            after(changes[:whole])
        if error is not None:
            failed = changes[actions[begun][0]]
            return Applied(host.name, tuple(changes[:whole]), failed, _about(failed, error))
    return Applied(host.name, tuple(changes))


def _together(host: Host, actions: Sequence[Action]) -> tuple[int, OutsideError | None]:
    """How many of the actions were done, and what ended them."""
    try:
        if len(actions) == 1:
            _act(host, actions[0])
            return 1, None
        batch = compose(actions)
        came = parse(batch, host.run(batch.script, stdin=batch.stdin, timeout_s=batch.timeout_s))
    except OutsideError as error:
        return 0, error
    except ValueError as error:
        return 0, CommandFailed(host.name, str(error))
    return came.done, CommandFailed(host.name, came.why) if came.why else None


def _about(change: Change, error: OutsideError) -> OutsideError:
    if isinstance(error, CommandFailed):
        return CommandFailed(error.part, f"{change.subject}: {error.what}", error.remedy)
    return error


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
