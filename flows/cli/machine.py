"""`safe-harbor doctor`: what this machine can and cannot do."""

from __future__ import annotations

from cyclopts import App
from rich.console import Console
from rich.table import Table

from flows.cli.exits import Exit, print_json


def register(app: App) -> None:
    """Add the doctor."""
    app.command(doctor)


def doctor(*, json: bool = False) -> int:
    """Examine this machine for a rehearsal, one line each with the remedy. Changes nothing.

    Example: safe-harbor doctor
    """
    from rehearsal.doctor import Level, as_json, examine

    observations = examine()
    if json:
        print_json(as_json(observations))
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("what", "", "observed", "remedy"):
            table.add_column(heading)
        for each in observations:
            table.add_row(each.name, each.level, each.observed, each.remedy)
        Console().print(table)
    return Exit.OUTSIDE_FAILED if any(each.level == Level.FAIL for each in observations) else Exit.DONE
