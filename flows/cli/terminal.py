"""The running exit on a terminal: a line a stage, a live line for what goes on now, a closing table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bar
from rich.status import Status
from rich.table import Table

from inventory.models.finding import Finding
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict

MARKS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.WARN: ("warn", "yellow"),
    Verdict.INCONCLUSIVE: ("inconclusive", "magenta"),
    Verdict.NODATA: ("no data", "magenta"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.ERROR: ("ERROR", "bold red"),
}


class Terminal:
    """Implements `tasks.steps.progress.Progress` on stderr; live only where stderr is a terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.ended: list[StageResult] = []  # every stage that has ended, oldest first
        self._status: Status | None = None
        self._stage = ""
        self._since = time.monotonic()
        self._said = ""

    def stage_started(self, name: str) -> None:
        """See `Progress`."""
        self._stage, self._since = name, time.monotonic()
        self._show(name)

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See `Progress`."""
        bar = ""
        if total:
            filled = round(20 * done / total)
            bar = f"[{'#' * filled}{'.' * (20 - filled)}] {done}/{total} "
        self._show(f"{self._stage:<10} {bar}{text}")

    def pause(self) -> None:
        """See `Progress`."""
        self.close()

    def found(self, finding: Finding) -> None:
        """See `Progress`."""
        word, style = MARKS[finding.verdict]
        waived = f" [waived by {finding.waived_by}]" if finding.waived_by else ""
        self._print(f"  {word:<12} {finding.code} {finding.subject}: {finding.observed}{waived}", style)
        if finding.remedy and not finding.waived_by and not finding.verdict.lets_go_on:
            self._print(f"  {'':<12} -> {finding.remedy}", "dim")

    def stage_ended(self, result: StageResult) -> None:
        """See `Progress`."""
        self.close()
        self.ended.append(result)
        word, style = MARKS[result.verdict]
        what = f"{len(result.findings)} checks" if result.findings else ""
        changes = f"{result.changes} changes" if result.changes else ""
        detail = ", ".join(part for part in (what, changes) if part)
        self._print(f"{word:<12} {result.name:<10} {result.seconds:7.1f} s  {detail}", style)

    def close(self) -> None:
        """Take the live line away."""
        if self._status:
            self._status.stop()
            self._status = None

    def table(self, results: Sequence[StageResult]) -> None:
        """The closing table."""
        self.close()
        table = Table(title=None, box=None, pad_edge=False)
        for heading in ("stage", "verdict", "seconds", "checks", "changes"):
            table.add_column(heading, justify="left" if heading in ("stage", "verdict") else "right")
        for result in results:
            word, style = MARKS[result.verdict]
            table.add_row(
                result.name,
                f"[{style}]{word}[/]",
                f"{result.seconds:.1f}",
                str(len(result.findings)),
                str(result.changes),
            )
        self.console.print(table)

    def say(self, text: str) -> None:
        """A plain line."""
        self._print(text, "")

    def _print(self, text: str, style: str) -> None:
        self.console.print(text, style=style or None, markup=False, soft_wrap=True)

    def _show(self, text: str) -> None:
        if not sys.stderr.isatty():
            if text != self._said and "[" not in text:
                self._print(f"... {text}", "dim")
            self._said = text
            return
        line = f"{text}  ({time.monotonic() - self._since:.0f} s)"
        if self._status is None:
            self._status = self.console.status(line)
            self._status.start()
        else:
            self._status.update(line)


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that is told (done, total); nothing is drawn where stderr is no terminal."""
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(text, total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield told
