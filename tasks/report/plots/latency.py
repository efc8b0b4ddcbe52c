"""Latency of source and target: percentile curves, rounds, and the gate's bounds against its margins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tasks.report.model import Round
from tasks.report.plots.drawing import Ink, drawing

_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
_SIDES = (("source", Ink.SOURCE, "--", "o"), ("target", Ink.TARGET, "-", "s"))
_LEAST_TAIL = 0.01  # in percent: where the curve ends


def curves(curves_ms: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Response time by percentile of each side, both axes logarithmic: the right is the tail."""
    if not any(curves_ms.values()):
        return ""
    with drawing("curves", "Response time of source and target by percentile", 3.6) as drawn:
        axes = drawn.axes()
        for side, ink, style, _ in _SIDES:
            points = [(p, ms) for p, ms in curves_ms.get(side, ()) if p < 100]
            if not points:
                continue
            axes.plot([_tail(p) for p, _ in points], [ms for _, ms in points], style, color=ink, label=side)
            axes.annotate(
                side,
                (_tail(points[-1][0]), points[-1][1]),
                xytext=(6, 0),
                textcoords="offset points",
                color=ink,
                va="center",
                fontweight="bold",
            )
        highest = max((p for c in curves_ms.values() for p, _ in c if p < 100), default=99.0)
        ticks = [p for p in _TICKS if p <= max(highest, 99.0)]
        axes.set_xticks([_tail(p) for p in ticks], [f"{p:g} %" for p in ticks])
        axes.set_xlim(-0.05, _tail(max(highest, 99.0)) * 1.14)
        log_ms(axes)
        axes.set_xlabel("share of requests that are at least as fast")
        axes.set_ylabel("response time, ms")
    return drawn.svg


def _tail(percentile: float) -> float:
    """Places 90, 99, 99.9 % at equal distances."""
    return -math.log10(max(100 - percentile, _LEAST_TAIL) / 100)


def log_ms(axes: Axes) -> None:
    """The upright axis as milliseconds, logarithmic, with ticks at 1, 2 and 5."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [n * 10.0**e for e in range(-2, 6) for n in (1, 2, 5) if low <= n * 10.0**e <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)


def rounds(of_rounds: Sequence[Round]) -> str:
    """p50, p95 and p99 of every round, both sides beside each other."""
    if not of_rounds:
        return ""
    with drawing("rounds", "p50, p95 and p99 of every round", 2.9) as drawn:
        panels = drawn.figure.subplots(1, 3)
        for panel, percentile in zip(panels, ("p50_ms", "p95_ms", "p99_ms"), strict=True):
            for side, ink, style, marker in _SIDES:
                mine = [row for row in of_rounds if row.side == side]
                panel.plot(
                    [row.round for row in mine],
                    [getattr(row, percentile) for row in mine],
                    style,
                    marker=marker,
                    markersize=4,
                    linewidth=1.2,
                    color=ink,
                    label=side,
                )
            panel.set_title(percentile[:3], fontsize=10, color=Ink.TEXT)
            panel.set_xlabel("round")
            panel.set_ylim(bottom=0)
            panel.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel("ms")
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return drawn.svg


def bounds(document: Mapping[str, Any]) -> str:
    """Ratio target/source with its bounds, and the margin it must stay below, per route and percentile."""
    rows = [
        (f"{'all requests' if route == '*' else route}  {name}", endpoint)
        for route, endpoints in document.get("routes", {}).items()
        for name, endpoint in endpoints.items()
        if name != "errors" and endpoint.get("ratio") is not None
    ]
    if not rows:
        return ""
    with drawing(
        "bounds", "Ratio of target to source with bounds and margin", 0.9 + 0.26 * len(rows)
    ) as drawn:
        axes = drawn.axes()
        axes.axvline(1, color=Ink.MUTED, linewidth=1)
        for row, (_, endpoint) in enumerate(rows):
            ink, marker = _look_of(str(endpoint.get("verdict")))
            ratio, margin = endpoint["ratio"], 1 + endpoint["margin"]
            lower = endpoint.get("lower") or ratio
            upper = endpoint.get("upper") or ratio
            axes.plot([lower, upper], [row, row], color=ink, solid_capstyle="butt", linewidth=3)
            axes.plot([ratio], [row], marker=marker, color=ink, markersize=7)
            axes.plot([margin, margin], [row - 0.38, row + 0.38], color=Ink.TEXT, linewidth=1.6)
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        axes.tick_params(axis="y", length=0, labelcolor=Ink.TEXT)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("target / source; bar: bounds, upright line: margin, 1: equal, left of it: faster")
    return drawn.svg


def _look_of(verdict: str) -> tuple[Ink, str]:
    return {"pass": (Ink.GOOD, "o"), "fail": (Ink.BAD, "X")}.get(verdict, (Ink.UNSURE, "D"))
