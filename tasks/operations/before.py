"""Undo: what was there is recorded on the host before a setting is changed for the first time, and put back.

The record is made by the same plan as the change and written before it. An entry is never replaced: after any
number of runs it still says what was there before the first of them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inventory.models.change import Action, Change, PutFile, RemoveFile, Run
from inventory.models.command import Command, Script
from tasks.facts.before import PATH, Record, Was, render
from tasks.facts.contents import Content
from tasks.operations.files import Wanted

DROP_INS = "/etc/systemd/system/"
UDEV_RULES = "/etc/udev/rules.d/"
# $1 the unit. One that runs takes the new limits by a restart; its containers and pods go on meanwhile.
_RELOAD = 'systemctl daemon-reload && { ! systemctl is-active -q "$1" || systemctl restart "$1"; }'
_RELOAD_RULES = "[ ! -S /run/udev/control ] || udevadm control --reload"
_LINK = 'rm -f -- "$2" && ln -s -- "$1" "$2"'


@dataclass(frozen=True)
class Noted:
    """A change of a setting, and what undo has to know of the time before it."""

    change: Change
    was: tuple[Was, ...]


def recorded(host: str, known: tuple[str, Record], noted: Sequence[Noted]) -> list[Change]:
    """The changes, with the record of what they change before them, where it is not there yet.

    It also says in which boot the latest change was made: whoever verifies after a boot asks for that.
    `known` is the fact: this boot's id, and the record.
    """
    boot, record = known
    new: list[Was] = []
    for item in (each for one in noted for each in one.was):
        if item not in record and item not in Record(tuple(new)):
            new.append(item)
    changes = [each.change for each in noted]
    if not changes or (not new and record.boot == boot):
        return changes
    whole = Record((*record.items, *new), boot)
    keep = Change(
        host,
        f"record {PATH}",
        "`prepare --undo` finds there what was before",
        f"{len(record.items)} entries" if record.items else "",
        f"{len(whole.items)} entries, mode 600",
        (PutFile(PATH, render(whole), 0o600),),
        (),
    )
    return [keep, *changes]


def file_changes(host: str, there: Mapping[str, Content], wanted: Iterable[Wanted], why: str) -> list[Noted]:
    """A change for every settings file that is not as wanted; empty content: none shall be there."""
    noted = []
    for file in wanted:
        found = there[file.path]
        if not file.content and not found.exists:
            continue
        if file.content and found.data == file.content and found.mode == file.mode:
            continue
        apply: tuple[Action, ...] = (RemoveFile(file.path),)
        if file.content:
            apply = (PutFile(file.path, file.content, file.mode),)
        change = Change(
            host,
            f"file {file.path}",
            why,
            _shown(found),
            f"sha256 {file.sha256[:12]}, mode {file.mode:o}" if file.content else "",
            (*apply, *_effects(file.path)),
            _restoring(was_of(found)),
            (found.text, file.content.decode()),
        )
        noted.append(Noted(change, (was_of(found),)))
    return noted


def was_of(found: Content) -> Was:
    """The entry of a file."""
    if found.link:
        return Was("symlink", found.path, found.link)
    if found.data is None:
        return Was("file", found.path, None, folders=found.no_folders)
    return Was("file", found.path, base64.b64encode(found.data).decode(), found.mode, found.owner)


def restore_files(host: str, record: Record, there: Mapping[str, Content]) -> list[Change]:
    """Changes that put the recorded files back, the latest first. Raises KeyError for one not asked for."""
    changes = []
    for was in reversed(tuple(record.of("file", "symlink"))):
        found = there[was.name]
        now = was_of(found)
        same = (now.kind, now.value, now.mode, now.owner) == (was.kind, was.value, was.mode, was.owner)
        if same and now.folders == was.folders:
            continue
        before = _text(was)
        changes.append(
            Change(
                host,
                f"file {was.name}",
                "as it was before the profile",
                _shown(found),
                "" if was.value is None else "as recorded",
                _restoring(was),
                (),
                (found.text, before),
            )
        )
    return changes


def forget(host: str, record: Record) -> list[Change]:
    """The last change of an undo: the record has served."""
    if not record.items:
        return []
    gone = (RemoveFile(PATH),)
    return [Change(host, f"record {PATH}", "all of it is restored", f"{len(record.items)} entries", "", gone)]


def _restoring(was: Was) -> tuple[Action, ...]:
    if was.kind == "symlink":
        return (Run(Script.of(_LINK, was.value or "", was.name)), *_effects(was.name))
    if was.value is None:
        folders = tuple(
            Run(Command.of("rmdir", "--ignore-fail-on-non-empty", "--", each))
            for each in reversed(was.folders)
        )
        return (RemoveFile(was.name), *_effects(was.name), *folders)
    put = PutFile(was.name, base64.b64decode(was.value), was.mode)
    return (put, Run(Command.of("chown", was.owner, was.name)), *_effects(was.name))


def _effects(path: str) -> tuple[Action, ...]:
    """What makes a program that runs already take notice of its file."""
    if path.startswith(DROP_INS):
        unit = path.removeprefix(DROP_INS).partition(".d/")[0]
        return (Run(Script.of(_RELOAD, unit)),)
    if path.startswith(UDEV_RULES):
        return (Run(Script.of(_RELOAD_RULES)),)
    return ()


def _shown(found: Content) -> str:
    if not found.exists:
        return ""
    return f"link to {found.link}" if found.link else f"{len(found.data or b'')} bytes, mode {found.mode:o}"


def _text(was: Was) -> str:
    if was.value is None:
        return ""
    if was.kind == "symlink":
        return f"link to {was.value}\n"
    return base64.b64decode(was.value).decode("utf-8", "replace")
