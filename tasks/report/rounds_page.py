"""The page of a replay's rounds, source beside target.

`python -m tasks.report.rounds_page OUT --source RUN... --target RUN...`

A process of its own draws it: the plotting library takes as much memory as a stage, and gives none back.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from inventory.errors import BadInput
from tasks.report.joined import read_joined
from tasks.report.load import render_runs


def main(arguments: list[str]) -> int:
    """Write the page, at once: a reader never sees half of one. 2 where a folder holds no run."""
    parser = argparse.ArgumentParser(prog="rounds_page")
    parser.add_argument("out", type=Path)
    for side in ("source", "target"):
        parser.add_argument(f"--{side}", type=Path, nargs="+", required=True)
    asked = parser.parse_args(arguments)
    try:
        page = render_runs([read_joined(asked.source), read_joined(asked.target)])
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    fresh = asked.out.with_name(asked.out.name + ".new")
    fresh.write_text(page, encoding="utf-8")
    fresh.replace(asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
