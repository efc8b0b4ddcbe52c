"""The matrix as a page: faults by checks, and the healthy runs, all from one measured run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rehearsal.matrix.result import HealthyRun, Matrix, Row

_HEAD = """# Fault matrix: what goes wrong in a data plane, and which check says so

Written from measured runs (`safe-harbor rehearse matrix`, and `rehearse --deep` for what takes a kernel of
its own). Each fault is put into one node of a site (or into its cluster), every check of the data plane runs,
the fault is undone, and the checks that failed run until they pass again.

**{found} of {tried} faults found** by exactly the check that must name the cause. Of the checks that fail
together, those that look nearest to the cause name it: a setting before the state of links and rules, that
before the kernel's counters, those before the paths (`Layer` in `tasks/checks/registry.py`). The others
follow from it.
"""


def render(matrices: Sequence[Matrix]) -> str:
    """The whole page: one part a run. A fault that one run could not try may stand in another."""
    rows = [row for matrix in matrices for row in matrix.rows]
    tried = {row.fault for row in rows}
    untried = {name: why for matrix in matrices for name, why in matrix.untried.items() if name not in tried}
    parts = [_HEAD.format(found=sum(row.found for row in rows), tried=len(rows))]
    for matrix in matrices:
        parts += [_faults(matrix), _grid(matrix.rows), _healthy(matrix.healthy)]
    return "\n".join(part for part in [*parts, _untried(untried)] if part)


def _faults(matrix: Matrix) -> str:
    rows = matrix.rows
    lines = [
        f"## On {matrix.site}",
        f"Measured {matrix.measured_at}. `s`: all checks under the fault, from the first to the last; "
        "`well`: from the undo until all pass.",
        "",
        "| fault | what is done | named by | found | s | well |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        named = ", ".join(f"`{code}`" for code in row.named) or "nothing"
        found = "yes" if row.found else f"**no**, expected `{row.primary}`"
        lines.append(
            f"| {row.fault} | {row.what} | {named} | {found} | {row.seconds:.1f} | {row.healed_s:.1f} |"
        )
    lines += ["", "What the check said, in its own words:", ""]
    lines += [f"- {row.fault}: `{row.primary}` {_plain(row.observed)}" for row in rows if row.observed]
    return "\n".join(lines) + "\n"


def _grid(rows: Sequence[Row]) -> str:
    codes = sorted({code for row in rows for code in (*row.failed, *row.unseen)})
    lines = [
        "### Fault x check",
        "**C** names the cause; f fails as well; n could not observe. One that is not here always passed.",
        "",
        "| | " + " | ".join(f"`{code}`" for code in codes) + " |",
        "|---|" + "---|" * len(codes),
    ]
    for row in rows:
        cells = [_cell(row, code) for code in codes]
        lines.append(f"| {row.fault} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" if rows else ""


def _cell(row: Row, code: str) -> str:
    if code in row.named:
        return "**C**"
    if code in row.failed:
        return "f"
    return "n" if code in row.unseen else ""


def _healthy(runs: Sequence[HealthyRun]) -> str:
    if not runs:
        return ""
    alarms = [alarm for run in runs for alarm in run.alarms]
    warnings = sorted({code for run in runs for code in run.warnings})
    seconds = [run.seconds for run in runs]
    lines = [
        "### The healthy site",
        f"{len(runs)} runs of every check on the same site, untouched: {sum(r.findings for r in runs)} "
        f"findings, **{len(alarms)} false alarms**. A run took {median(seconds):.1f} s (median; "
        f"{min(seconds):.1f} to {max(seconds):.1f}).",
    ]
    if warnings:
        lines.append(
            f"Warnings, which stop nothing ([what each means](../runbooks/network.md)): "
            f"{', '.join(f'`{code}`' for code in warnings)}."
        )
    lines += [f"- {_plain(alarm)}" for alarm in alarms]
    return "\n".join(lines) + "\n"


def _untried(untried: dict[str, str]) -> str:
    if not untried:
        return ""
    return "\n".join(["## Not tried here", *(f"- {name}: {why}" for name, why in untried.items())]) + "\n"


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
