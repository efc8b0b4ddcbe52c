"""Renders report.html: one file, no script, no reference to anything outside it, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from inventory.models.verdict import Verdict
from tasks.report.model import CheckRow, Report
from tasks.report.plots import cutover, data_plane, latency, timeline

# Mark and words of a verdict; the mark tells it without colour.
MARKS: Mapping[str, tuple[str, str]] = {
    "pass": ("\N{CHECK MARK}", "pass"),
    "warn": ("!", "warn"),
    "fail": ("\N{BALLOT X}", "fail"),
    "error": ("\N{BALLOT X}", "error"),
    "nodata": ("?", "no data"),
    "inconclusive": ("\N{ALMOST EQUAL TO}", "inconclusive"),
    "waived": ("\N{NORTH EAST ARROW}", "waived"),
    "notrun": ("\N{EN DASH}", "not run"),
}
_UNITS = {"_s": "s", "_ms": "ms", "_us": "µs", "_rps": "requests/s", "_per_s": "/s", "_mb": "MB"}


def render(report: Report) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": _count,
        "figure": _figure,
        "label": _label,
        "moment": _moment,
        "size": _size,
    }
    environment.globals |= {"MARKS": MARKS}
    plots = {
        "timeline": timeline.draw(report.stages),
        "data_plane": data_plane.draw(report.data_plane),
        "bounds": latency.bounds(report.latency),
        "curves": latency.curves(report.replay) if report.replay else "",
        "rounds": latency.rounds(report.replay.rounds) if report.replay else "",
        "cutover": cutover.draw(report.cutover) if report.cutover else "",
    }
    return environment.get_template("report.html.j2").render(
        report=report,
        plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704 - matplotlib escapes its texts
        groups=_groups(report),
        tally=_tally(report),
    )


def _groups(report: Report) -> dict[str, list[CheckRow]]:
    """The findings by stage, what needs a look first."""
    groups: dict[str, list[CheckRow]] = {}
    for row in report.checks:
        groups.setdefault(row.stage, []).append(row)
    order = {verdict: place for place, verdict in enumerate(reversed(list(Verdict)))}
    return {stage: sorted(rows, key=lambda row: order[row.verdict]) for stage, rows in groups.items()}


def _tally(report: Report) -> dict[str, int]:
    """How many findings of each verdict, over all stages."""
    total: dict[str, int] = {}
    for stage in report.stages:
        for verdict, count in stage.findings.items():
            total[verdict] = total.get(verdict, 0) + count
    return total


def _count(value: float | None) -> str:
    """A number with thin separators; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    shown = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.1f}"
    return shown.rstrip("0").rstrip(".").replace(",", "\N{NARROW NO-BREAK SPACE}")


def _size(value: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{_count(round(value, 1))} {unit}"
        value /= 1024
    return f"{_count(round(value, 1))} TiB"


def _figure(value: Any, name: str) -> str:
    """A recorded value; its unit stands in its name."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if name.endswith("bytes"):
            return _size(value)
        unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
        return f"{_count(value)} {unit}".rstrip()
    if isinstance(value, list | tuple):
        return ", ".join(_figure(item, name) for item in value) or "none"
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{_label(str(key))} {_figure(item, str(key))}" for key, item in value.items())
            or "none"
        )
    return "\N{EN DASH}" if value is None else str(value)


def _label(name: str) -> str:
    """`checksums_equal` -> checksums equal; the unit at the end is said with the value."""
    for ending in _UNITS:
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def _moment(at: datetime | None) -> str:
    return "\N{EN DASH}" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
