"""One load run over its time: how long requests took, how many did in each moment, and which ones failed."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from tasks.report.plots.drawing import Ink, drawing
from tasks.report.plots.latency import log_ms

COLUMNS = 120  # of a heat map
ROWS_PER_DECADE = 12
LEVELS = (0.01, 0.05, 0.2, 0.5, 1.0)  # the largest share of a moment's requests in each shade

Floats = NDArray[np.float64]


def heat(name: str, title: str, due_s: Floats, response_ms: Floats) -> str:
    """Response time over the run: the darker a field, the more of that moment's requests lie in it."""
    if not len(due_s):
        return ""
    at, times, share = shares(due_s, response_ms)
    with drawing(name, title, 3.2) as drawn:
        axes = drawn.axes()
        _fields(axes, at, times, share)
        middles = (at[:-1] + at[1:]) / 2
        column = np.clip(np.digitize(due_s, at) - 1, 0, len(middles) - 1)
        for percentile, style in ((50, "-"), (99, ":")):
            points = [
                (middle, float(np.percentile(response_ms[column == n], percentile)))
                for n, middle in enumerate(middles)
                if (column == n).any()
            ]
            axes.plot(
                *zip(*points, strict=True), style, color=Ink.TEXT, linewidth=1.2, label=f"p{percentile}"
            )
        axes.set_xlim(at[0], at[-1])
        axes.set_ylim(times[0], times[-1])
        log_ms(axes)
        axes.set_xlabel("seconds after the start, by when a request was due")
        axes.set_ylabel("response time, ms")
        axes.legend(loc="upper right", ncols=2)
    return drawn.svg


def failures(name: str, title: str, due_s: Floats, failed: NDArray[np.bool_]) -> str:
    """Failed requests over the run; nothing where none failed."""
    if not failed.any():
        return ""
    at = _moments(due_s)
    counts, _ = np.histogram(due_s[failed], bins=at)
    with drawing(name, title, 1.6) as drawn:
        axes = drawn.axes()
        axes.bar(at[:-1], counts, width=np.diff(at), align="edge", color=Ink.BAD)
        axes.set_xlim(at[0], at[-1])
        axes.set_xlabel("seconds after the start")
        axes.set_ylabel("failed")
    return drawn.svg


def shares(due_s: Floats, response_ms: Floats) -> tuple[Floats, Floats, Floats]:
    """Edges of moments (s) and of response times (ms), and share[moment, time] of that moment's requests."""
    low = math.floor(math.log10(max(float(response_ms.min()), 0.001)) * ROWS_PER_DECADE)
    high = math.ceil(math.log10(max(float(response_ms.max()), 0.001)) * ROWS_PER_DECADE)
    times = 10.0 ** (np.arange(low, max(high, low + 1) + 1) / ROWS_PER_DECADE)
    at = _moments(due_s)
    inside = np.clip(response_ms, times[0], times[-1])
    counts, _, _ = np.histogram2d(due_s, inside, bins=(at, times))
    return at, times, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _moments(due_s: Floats) -> Floats:
    last = max(float(due_s.max()), 0.001)
    return np.linspace(0, last * (1 + 1e-9), min(COLUMNS, max(10, math.ceil(last))) + 1)


def _fields(axes: Axes, at: Floats, times: Floats, share: Floats) -> None:
    level_of = np.digitize(share, (0, *LEVELS[:-1]), right=True)
    for level in range(1, len(LEVELS) + 1):
        fields = [
            [(at[x], times[y]), (at[x + 1], times[y]), (at[x + 1], times[y + 1]), (at[x], times[y + 1])]
            for x, y in np.argwhere(level_of == level)
        ]
        if fields:
            alpha = 0.15 + 0.85 * (level - 1) / (len(LEVELS) - 1)
            axes.add_collection(
                PolyCollection(fields, facecolors=Ink.TARGET.value, alpha=alpha, edgecolors="none")
            )
