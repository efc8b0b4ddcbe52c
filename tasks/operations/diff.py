"""Changes as a unified diff, for people: files with their text, everything else with its value."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from inventory.models.change import Change
from inventory.printable import printable

_LIMIT = 100_000  # characters of one change; a settings file has a few thousand


def by_host(changes: Sequence[Change]) -> dict[str, str]:
    """Host's name -> the unified diff of its changes, in their order."""
    names = dict.fromkeys(change.host for change in changes)
    return {
        name: "\n".join(line for change in changes if change.host == name for line in _lines(change))
        for name in names
    }


def _lines(change: Change) -> Iterator[str]:
    subject = change.subject.removeprefix("file ")
    before, after = change.text or (_line(change.before), _line(change.after))
    origin = f"{change.host}:{subject}" if change.before else "/dev/null"
    goal = f"{change.host}:{subject}" if change.after else "/dev/null"
    yield f"# {subject}: {change.why}"
    found = list(
        difflib.unified_diff(
            printable(before, _LIMIT).splitlines(),
            printable(after, _LIMIT).splitlines(),
            origin,
            goal,
            lineterm="",
        )
    )
    if found:
        yield from found
    else:  # the same text with another mode or owner
        yield from (f"--- {origin}", f"+++ {goal}", f"-{change.before}", f"+{change.after}")


def _line(value: str) -> str:
    return f"{value}\n" if value else ""
