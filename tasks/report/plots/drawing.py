"""How a matplotlib figure becomes a piece of the page: themed, self-contained, with no reference outside.

matplotlib writes fixed colours. The `Ink` values are colours that nothing else uses; in the SVG each becomes
a variable of the page's style sheet, whose value depends on light or dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH_IN = 8.6
FONT_PT = 10.0


class Ink(StrEnum):
    """A colour of the page, by its place holder in the drawing."""

    TEXT = "#010203"
    MUTED = "#010204"
    GRID = "#010205"
    SOURCE = "#010206"
    TARGET = "#010207"
    GOOD = "#010208"
    BAD = "#010209"
    UNSURE = "#01020a"
    FREEZE = "#01020b"
    PAPER = "#01020c"


_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a "$" in a route is a "$"
    "svg.fonttype": "none",
    "svg.hashsalt": "safe-harbor",
    "font.family": "sans-serif",
    "font.size": FONT_PT,
    "text.color": Ink.TEXT.value,
    "axes.labelcolor": Ink.MUTED.value,
    "axes.edgecolor": Ink.GRID.value,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": Ink.GRID.value,
    "grid.linewidth": 0.7,
    "xtick.color": Ink.GRID.value,
    "ytick.color": Ink.GRID.value,
    "xtick.labelcolor": Ink.MUTED.value,
    "ytick.labelcolor": Ink.MUTED.value,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}


class Drawing:
    """A figure under way; `svg` is there once the block of `drawing` has ended."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.svg = ""

    def axes(self) -> Axes:
        """The only axes of a figure that has one."""
        return self.figure.subplots()


@contextmanager
def drawing(name: str, title: str, height_in: float) -> Iterator[Drawing]:
    """Draw inside the block. `title` is what a screen reader says of the picture."""
    with mpl.rc_context(_STYLE):
        drawn = Drawing(Figure(figsize=(WIDTH_IN, height_in), layout="constrained"))
        yield drawn
        buffer = io.StringIO()
        drawn.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawn.svg = _for_page(buffer.getvalue(), name, title)


def _for_page(svg: str, name: str, title: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg).replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", svg)
    for ink in Ink:
        svg = svg.replace(ink.value, f"var(--{ink.name.lower()})")
    size = re.search(r'viewBox="([^"]*)"', svg)
    box = size.group(1) if size else "0 0 600 300"
    body = svg[svg.index(">") + 1 :]
    said = escape(title)
    return f'<svg class="plot" role="img" aria-label="{said}" viewBox="{box}">{body}'.strip()
