"""kube-proxy's modes beside each other under the same load."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from tasks.report.model import DataPlane
from tasks.report.plots.drawing import Ink, drawing

_INKS = {"userspace": Ink.SOURCE, "iptables": Ink.TARGET}


def draw(planes: Mapping[str, DataPlane]) -> str:
    """Throughput (more is better) and CPU per request (less is better)."""
    if not planes:
        return ""
    with drawing("data-plane", "Throughput and CPU per request of kube-proxy's modes", 2.0) as drawn:
        left, right = drawn.figure.subplots(1, 2)
        _bars(
            left, {mode: plane.requests_per_s for mode, plane in planes.items()}, "requests/s, more is better"
        )
        _bars(
            right,
            {
                mode: plane.cpu_us_per_request
                for mode, plane in planes.items()
                if plane.cpu_us_per_request is not None
            },
            "CPU µs a request, less is better",
        )
    return drawn.svg


def _bars(axes: Axes, values: Mapping[str, float], label: str) -> None:
    for row, (mode, value) in enumerate(values.items()):
        hatch = "///" if mode == "userspace" else ""
        ink = _INKS.get(mode, Ink.UNSURE)
        axes.barh(row, value, height=0.55, color=ink, hatch=hatch, edgecolor=Ink.PAPER, linewidth=0)
        axes.annotate(f"{value:,.0f}", (value, row), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(values)), list(values))
    axes.tick_params(axis="y", length=0, labelcolor=Ink.TEXT)
    axes.set_ylim(max(len(values), 2) - 0.5, -0.5)
    axes.set_xlim(0, max(values.values(), default=1.0) * 1.22)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    axes.locator_params(axis="x", nbins=5)
