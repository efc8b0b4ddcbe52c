"""Rows of a benchmark: printed as a table, kept as build/bench/NAME.json."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from tasks.drivers.errors import OutsideError

OUT = Path("build/bench")


@dataclass(frozen=True)
class Row:
    """One figure of ours, beside a peer's where there is one. `ratio` is ours / peer's."""

    what: str
    unit: str
    ours: float
    how: str
    peer: str = ""
    peer_value: float | None = None
    goal: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return round(self.ours / self.peer_value, 3) if self.peer_value else None


def show(name: str, rows: list[Row]) -> None:
    """Print the table and write its JSON."""
    OUT.mkdir(parents=True, exist_ok=True)
    document = {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
    (OUT / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    for row in rows:
        peer = f"{row.peer} {row.peer_value:,.0f}, ratio {row.ratio}" if row.peer_value else ""
        met = {True: "met", False: "NOT met", None: ""}[row.met]
        print(f"{row.what:<44} {row.ours:>12,.1f} {row.unit:<6} {peer:<34} {row.goal:<10} {met}")


def run(main: Callable[[], int]) -> NoReturn:
    """End the program with what `main` answers, or with 3 and a line where something outside failed.

    SIGTERM ends it as Ctrl-C does: what a benchmark has raised (namespaces, servers) is taken down first.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except OutsideError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
