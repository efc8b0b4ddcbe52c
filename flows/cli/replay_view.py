"""A running replay on a terminal: how far it is, what it looks like now, and the last half minute of p99."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

if TYPE_CHECKING:
    from tasks.replay.glance import Glance, Progress

LOOKS = 60  # kept for the course of p99: half a minute
_BLOCKS = "▁▂▃▄▅▆▇█"


class ReplayView:
    """What is drawn; `see` gives it the next look."""

    def __init__(self, text: str) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        )
        self._task = self._bar.add_task(text, total=None)
        self._p99_ms: deque[float] = deque(maxlen=LOOKS)
        self._told = ""

    def see(self, glance: Glance) -> None:
        """Takes one look in."""
        self._bar.update(self._task, completed=glance.finished, total=glance.planned)
        self._told = glance.told() or self._told
        if glance.p99_ms is not None:
            self._p99_ms.append(glance.p99_ms)

    def __rich__(self) -> Group:
        lines = [Text(f"  {self._told}")] if self._told else []
        if self._p99_ms:
            highest = max(self._p99_ms)
            lines.append(Text(f"  p99 {course(self._p99_ms)} of at most {highest:.1f} ms"))
        return Group(self._bar, *lines)


def course(values: deque[float]) -> str:
    """A character a value, as high as its share of the highest one."""
    highest = max(values) or 1.0
    return "".join(_BLOCKS[round(value / highest * (len(_BLOCKS) - 1))] for value in values)


@contextmanager
def replay_view(text: str) -> Iterator[Progress]:
    """Draws on stderr while the block runs; nothing where that is no terminal."""
    view = ReplayView(text)
    if not sys.stderr.isatty():
        yield view.see
        return
    with Live(view, console=Console(stderr=True), transient=True, refresh_per_second=4):
        yield view.see
