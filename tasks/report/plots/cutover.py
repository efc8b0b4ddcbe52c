"""The cutover over time: the share of the target, what the customers met, and the write freeze."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from tasks.report.model import Cutover, Second
from tasks.report.plots.drawing import Ink, drawing

_SITES = {"aws": (Ink.SOURCE, "--"), "oslo": (Ink.TARGET, "-")}


def draw(cutover: Cutover) -> str:
    """Share above, requests/s and failures below, over the seconds since the cutover began."""
    placed = [step for step in cutover.steps if step.at_s is not None]
    if not placed and not cutover.timeline:
        return ""
    slowest = any(second.slowest_ms for second in cutover.timeline)
    panels = 1 + bool(cutover.timeline) + slowest
    with drawing("cutover", "The cutover over time", 1.9 + 1.5 * (panels - 1)) as drawn:
        axes = drawn.figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        _share(axes[0], cutover)
        if cutover.timeline:
            _customers(axes[1], cutover.timeline)
        if slowest:
            _slowest(axes[2], cutover.timeline)
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
    """Requests of every second by the side that answered them, and those that failed."""
    times = [second.t_s for second in timeline]
    sites = sorted({site for second in timeline for site in second.sites})
    for site in sites or [""]:
        ink, style = _SITES.get(site, (Ink.MUTED, ":"))
        values = [second.sites.get(site, 0) if site else second.requests for second in timeline]
        label = {"none": "not answered", "": "requests"}.get(site, f"answered by {site}")
        axes.plot(times, values, style, color=ink, linewidth=1.5, label=label)
    failed = [second for second in timeline if second.failed]
    axes.plot(
        [second.t_s for second in failed],
        [second.failed for second in failed],
        linestyle="none",
        marker="X",
        markersize=7,
        color=Ink.BAD,
        label=f"failed: {sum(second.failed for second in timeline)}",
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("requests/s")
    axes.legend(loc="upper right", ncols=4, fontsize=9, bbox_to_anchor=(1, 1.24))


def _slowest(axes: Axes, timeline: Sequence[Second]) -> None:
    """The slowest request of every second: a write that was held shows here."""
    slow = [(second.t_s, second.slowest_ms) for second in timeline if second.slowest_ms]
    axes.vlines([t for t, _ in slow], 1, [ms for _, ms in slow], color=Ink.MUTED, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    ticks = [tick for tick in (1, 10, 100, 1000, 10_000) if tick <= axes.get_ylim()[1]]
    axes.set_yticks(ticks, [f"{tick}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylabel("slowest, ms")
