"""docs/benchmarks.md: the rows of all benchmarks that were run here, as `make bench` leaves them."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

from benchmarks.table import OUT, Row

PAGE = Path("docs/benchmarks.md")
_HEAD = """\
# Benchmarks

Written by `make bench` ({machine}). Peers come from their packages and take turns with ours in one run; a
ratio is ours over the peer's in that run, and says more than the figures beside it.
`make bench-replay` runs one of them.
"""
_TABLE = "| what | ours | | peer | ratio | goal | |\n|---|---:|---|---|---:|---|---|\n"
_MET = {True: "met", False: "**not met**", None: ""}


def render(rows: dict[str, list[Row]], machine: str) -> str:
    """The page; `rows` by the benchmark's name."""
    parts = [_HEAD.format(machine=machine)]
    for name in sorted(rows):
        lines = "".join(_line(row) for row in rows[name])
        how = "".join(f"- {each}\n" for each in dict.fromkeys(row.how for row in rows[name]))
        parts.append(f"## {name}\n{_TABLE}{lines}\n{how}")
    return "\n".join(parts)


def _line(row: Row) -> str:
    peer = f"{row.peer} {_number(row.peer_value)}" if row.peer_value is not None else ""
    ratio = "" if row.ratio is None else f"{row.ratio:g}"
    cells = (row.what, _number(row.ours), row.unit, peer, ratio, row.goal, _MET[row.met])
    return f"| {' | '.join(cells)} |\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def read(folder: Path) -> dict[str, list[Row]]:
    """What `table.show` kept, by the benchmark's name."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        rows = json.loads(file.read_text())["rows"]
        found[file.stem] = [
            Row(**{key: value for key, value in row.items() if key != "ratio"}) for row in rows
        ]
    return found


def main() -> int:
    """Write the page from all benchmarks that were run."""
    rows = read(OUT)
    if not rows:
        sys.stderr.write(f"{OUT} holds no benchmark: make bench\n")
        return 2
    PAGE.write_text(render(rows, f"{os.cpu_count()} processors, Linux {platform.release()}"))
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
