"""A doctor's round for a person: a table of what is not well, what was not looked at, and the sum."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.exits import Exit
from flows.cli.terminal import MARKS
from inventory.models.verdict import Verdict
from inventory.printable import printable

if TYPE_CHECKING:  # the drivers' libraries take a second to import
    from tasks.steps.examination import Examination, Row

_WORST_FIRST = list(reversed(Verdict))
_CELL_CHARS = 600
_PLAIN_COLUMNS = 200  # where the output is no terminal: wide enough that lines stay whole


def show(found: Examination, *, console: Console | None = None) -> None:
    """Print it on stdout: every finding that is not a plain pass, worst first, with its fix."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_COLUMNS
    ill = sorted((row for row in found.rows if row.finding.verdict is not Verdict.PASS), key=_order)
    if ill:
        console.print(_table(ill))
    for each in found.left_out:
        console.print(Text(f"not looked at: {each.side} {each.what}: {each.why}", style="dim"))
    counts = Counter(row.finding.verdict for row in found.rows)
    told = ", ".join(f"{counts[verdict]} {MARKS[verdict][0]}" for verdict in _WORST_FIRST if counts[verdict])
    codes = len({row.finding.code for row in found.rows})
    word, style = MARKS[found.verdict]
    summary = f"{found.name}: {codes} checks, {told or 'nothing looked at'}, in {found.seconds:.1f} s: "
    console.print(Text.assemble(summary, (word, style)))


def document(found: Examination) -> dict[str, Any]:
    """The JSON document (docs/formats.md)."""
    return {
        "schema": "safe-harbor/doctor/v1",
        "name": found.name,
        "verdict": found.verdict,
        "seconds": found.seconds,
        "findings": [{"side": row.side, **row.finding.model_dump(mode="json")} for row in found.rows],
        "left_out": [{"side": each.side, "what": each.what, "why": each.why} for each in found.left_out],
    }


def exit_code(found: Examination) -> Exit:
    """3 where a part did not answer, else 1 where a verdict is not a pass."""
    if found.unreached:
        return Exit.OUTSIDE_FAILED
    return Exit.DONE if found.verdict.lets_go_on else Exit.NOT_A_PASS


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("subject", overflow="fold", max_width=30)
    table.add_column("seen", overflow="fold", ratio=1)
    table.add_column("what to do", overflow="fold", ratio=1)
    for group in _alike(rows):
        finding = group[0].finding
        word, style = MARKS[finding.verdict]
        waived = f" [waived by {finding.waived_by}]" if finding.waived_by else ""
        subjects = ", ".join(f"{row.side} {row.finding.subject}" for row in group)
        # What a host says is text, whatever it would make a terminal do.
        seen, remedy = printable(finding.observed, _CELL_CHARS), printable(finding.remedy, _CELL_CHARS)
        cells = (subjects, seen + waived, remedy)
        table.add_row(Text(word, style=style), finding.code, *map(Text, cells))
    return table


def _alike(rows: list[Row]) -> list[list[Row]]:
    """Rows that say the same of several subjects, together."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        f = row.finding
        groups.setdefault((row.side, f.code, f.verdict, f.observed, f.remedy, f.waived_by), []).append(row)
    return list(groups.values())


def _order(row: Row) -> tuple[bool, int, str, str, str]:
    finding = row.finding
    waived = finding.waived_by is not None
    return waived, _WORST_FIRST.index(finding.verdict), row.side, finding.code, finding.subject
