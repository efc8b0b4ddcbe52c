"""The stages of the exit over time."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.report.model import Stage
from tasks.report.plots.drawing import Ink, drawing

_MINUTES_FROM_S = 300.0


def draw(stages: Sequence[Stage]) -> str:
    """A bar a stage, from its start, in seconds or minutes; stages that have not run have none."""
    ran = [stage for stage in stages if stage.started_at is not None and stage.seconds is not None]
    if not ran:
        return ""
    first = min(stage.started_at for stage in ran if stage.started_at)
    spans = [
        (stage, (stage.started_at - first).total_seconds(), stage.seconds)
        for stage in ran
        if stage.started_at is not None and stage.seconds is not None
    ]
    end_s = max(start + seconds for _, start, seconds in spans)
    unit, scale = ("min", 60.0) if end_s > _MINUTES_FROM_S else ("s", 1.0)
    with drawing("timeline", "Timeline of the stages", 0.6 + 0.3 * len(spans)) as drawn:
        axes = drawn.axes()
        for row, (stage, start, seconds) in enumerate(spans):
            good = stage.verdict is not None and stage.verdict.lets_go_on
            axes.barh(
                row,
                max(seconds, end_s / 400) / scale,
                left=start / scale,
                height=0.62,
                color=Ink.GOOD if good else Ink.BAD,
                hatch="" if good else "///",
                edgecolor=Ink.PAPER,
                linewidth=0,
            )
            late = start + seconds > 0.8 * end_s
            axes.text(
                (start if late else start + seconds) / scale + (-1 if late else 1) * end_s / scale / 120,
                row,
                f"{seconds:.1f} s" + ("" if good else f", {stage.verdict}"),
                va="center",
                ha="right" if late else "left",
                fontsize=9,
            )
        axes.set_yticks(range(len(spans)), [stage.name for stage, _, _ in spans])
        axes.tick_params(axis="y", length=0, labelcolor=Ink.TEXT)
        axes.set_ylim(len(spans) - 0.4, -0.6)
        axes.set_xlim(0, end_s / scale * 1.02)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{unit} since the first stage began")
    return drawn.svg
