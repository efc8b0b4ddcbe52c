"""The cutover over time: the share of the target, what the customers met, and the write freeze."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from tasks.report.model import Cutover, Second
from tasks.report.plots.drawing import Ink, drawing


def draw(cutover: Cutover) -> str:
    """Share above, requests/s and failures below, over the seconds since the cutover began."""
    placed = [step for step in cutover.steps if step.at_s is not None]
    if not placed and not cutover.timeline:
        return ""
    panels = 2 if cutover.timeline else 1
    with drawing("cutover", "The cutover over time", 1.9 + 1.7 * (panels - 1)) as drawn:
        axes = drawn.figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        _share(axes[0], cutover)
        if cutover.timeline:
            _customers(axes[1], cutover.timeline)
        for panel in axes:
            for span in cutover.spans:
                panel.axvspan(
                    span.from_s, max(span.to_s, span.from_s + 0.05), color=Ink.FREEZE, alpha=0.35, linewidth=0
                )
        axes[-1].set_xlabel("seconds since the cutover began")
    return drawn.svg


def _share(axes: Axes, cutover: Cutover) -> None:
    # A step is recorded at its end: the share held from the step before until then.
    times, shares = [0.0], [0.0]
    for step in cutover.steps:
        if step.at_s is None:
            continue
        if step.percent not in (0, shares[-1]):
            axes.annotate(
                f"{step.percent:g} %",
                (times[-1], step.percent),
                xytext=(4, 3 if step.percent < 90 else -11),
                textcoords="offset points",
                fontsize=9,
            )
        times += [times[-1], step.at_s]
        shares += [step.percent, step.percent]
    end = max([times[-1], *(second.t_s for second in cutover.timeline)])
    times.append(end)
    shares.append(shares[-1])
    axes.fill_between(times, shares, color=Ink.TARGET, alpha=0.18, linewidth=0)
    axes.plot(times, shares, color=Ink.TARGET)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
    axes.set_ylabel("share of the target")


def _customers(axes: Axes, timeline: Sequence[Second]) -> None:
    for site, ink, style in (("aws", Ink.SOURCE, "--"), ("oslo", Ink.TARGET, "-"), ("", Ink.MUTED, "-")):
        mine = [second for second in timeline if second.site == site]
        if mine:
            label = f"answered by {site}" if site else "requests"
            axes.plot(
                [s.t_s for s in mine], [s.rps for s in mine], style, color=ink, linewidth=1.5, label=label
            )
    failed = [second for second in timeline if second.failed]
    axes.plot(
        [s.t_s for s in failed],
        [s.failed for s in failed],
        linestyle="none",
        marker="X",
        markersize=7,
        color=Ink.BAD,
        label=f"failed: {sum(s.failed for s in timeline):g}",
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("requests/s")
    axes.legend(loc="upper right", ncols=3, fontsize=9, bbox_to_anchor=(1, 1.2))
