"""Renders report.html: one file, no script, no reference to anything outside it, every text escaped."""

from __future__ import annotations

from markupsafe import Markup

from inventory.models.verdict import Verdict
from tasks.report.environment import environment
from tasks.report.model import CheckRow, Report
from tasks.report.plots import cutover, data_plane, latency, timeline
from tasks.report.replay import round_rows


def render(report: Report) -> str:
    """The page."""
    plots = {
        "timeline": timeline.draw(report.stages),
        "data_plane": data_plane.draw(report.data_plane),
        "bounds": latency.bounds(report.latency),
        "curves": latency.curves(report.replay.curves_ms) if report.replay else "",
        "rounds": latency.rounds(report.replay.rounds) if report.replay else "",
        "cutover": cutover.draw(report.cutover) if report.cutover else "",
    }
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704 - matplotlib escapes its texts
            groups=_groups(report),
            rounds=round_rows(report.replay) if report.replay else [],
            tally=_tally(report),
        )
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
