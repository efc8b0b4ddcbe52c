"""A doctor's round for a person: a table of what is not well, what was not looked at, and the sum.

It is made for a terminal of 80 columns; `--json` has every finding by itself, with its evidence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.exits import Exit
from flows.cli.terminal import MARKS
from inventory.models.verdict import Verdict
from inventory.printable import printable

if TYPE_CHECKING:  # the drivers' libraries take a second to import
    from tasks.steps.examination import Examination, LeftOut, Row

_WORST_FIRST = list(reversed(Verdict))
_CELL_CHARS = 600
_NAMED_AT_MOST = 12
_SEEN_AT_MOST = 3  # of one check with one fix; the others are named
_PLACEHOLDER = "NODE"
_PLAIN_COLUMNS = 200  # where the output is no terminal: wide enough that lines stay whole


def show(found: Examination, *, console: Console | None = None) -> None:
    """Print it on stdout: every finding that is not a plain pass, worst first, with its fix."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_COLUMNS
    ill = sorted((row for row in found.rows if row.finding.verdict is not Verdict.PASS), key=_order)
    sides = len({row.side for row in found.rows} | {each.side for each in found.left_out}) > 1
    if ill:
        console.print(_table(ill, with_side=sides))
    if found.left_out:
        console.print(_left_out(found.left_out, with_side=sides))
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


def _table(rows: list[Row], *, with_side: bool) -> Table:
    """A verdict and a code on the left; on the right, below each other, who, what was seen, and the fix.

    What was seen and the fix may be long: beside each other on 80 columns neither could be read.
    """
    table = _grid()
    for group in _with_one_fix(rows):
        first = group[0].finding
        word, style = MARKS[first.verdict]
        told = Text()
        alike = _saying_the_same(group)
        for same in alike[:_SEEN_AT_MOST]:
            side = f"{same[0].side}: " if with_side else ""
            told.append(side + _names(same), "bold").append(f": {_said(same, 'observed')}\n")
        rest = [row for same in alike[_SEEN_AT_MOST:] for row in same]
        if rest:
            told.append(f"{_names(rest)} the like", "bold").append("\n")
        if first.waived_by:
            told.append(f"[waived by {printable(first.waived_by)}]", "dim")
        elif first.remedy:
            told.append("fix: ", "cyan").append(_said(group, "remedy"))
        told.rstrip()
        table.add_row(Text(word, style=style), Text(printable(first.code)), told)
    return table


def _left_out(left: Sequence[LeftOut], *, with_side: bool) -> Table:
    """What was not looked at, by the reason."""
    whys: dict[tuple[str, str], list[str]] = {}
    for each in left:
        whys.setdefault((each.side if with_side else "", each.why), []).append(each.what)
    table = _grid()
    for (side, why), what in whys.items():
        told = f"{side}{': ' if side else ''}{', '.join(sorted(what))}: {why}"
        table.add_row(Text("-", style="dim"), Text("not looked at", style="dim"), Text(told, "dim"))
    return table


def _grid() -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    return table


def _said(group: list[Row], what: Literal["observed", "remedy"]) -> str:
    """What is said of all of them, on one line: text, whatever it would make a terminal do."""
    finding = group[0].finding
    text: str = getattr(finding, what)
    if len(group) > 1:
        text = _without(finding.subject, text)
    return " ".join(printable(text, _CELL_CHARS).split())


def _names(rows: list[Row]) -> str:
    """All of a few, and how many of many."""
    subjects = [printable(row.finding.subject) for row in rows]
    more = len(subjects) - _NAMED_AT_MOST
    return ", ".join(subjects[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _without(subject: str, text: str) -> str:
    """The text with a placeholder for the subject's own name, so that what is said of many compares."""
    return re.sub(rf"(?<![\w.-]){re.escape(subject)}(?![\w-]|\.\w)", _PLACEHOLDER, text)


def _with_one_fix(rows: list[Row]) -> list[list[Row]]:
    """Rows of one check and verdict that have the same fix but for their own names."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        f = row.finding
        fix = _without(f.subject, f.remedy)
        groups.setdefault((row.side, f.code, f.verdict, fix, f.waived_by), []).append(row)
    return list(groups.values())


def _saying_the_same(rows: list[Row]) -> list[list[Row]]:
    """Those of which the same was seen, together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_without(row.finding.subject, row.finding.observed), []).append(row)
    return list(groups.values())


def _order(row: Row) -> tuple[bool, int, str, str, list[str | int]]:
    finding = row.finding
    waived = finding.waived_by is not None
    # Words and numbers in turns, so that node-2 stands before node-10.
    subject = [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", finding.subject)]
    return waived, _WORST_FIRST.index(finding.verdict), row.side, finding.code, subject
