"""What every page of this room is rendered with: escaping, and the filters that write values for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

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


def environment() -> Environment:
    """Templates of this room; every text is escaped, and a name that nobody gave is an error."""
    made = Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": _count,
        "figure": _figure,
        "label": _label,
        "moment": _moment,
        "share": _share,
        "size": _size,
    }
    made.globals |= {"MARKS": MARKS}
    return made


def _count(value: float | None) -> str:
    """A number with thin separators; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    shown = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.1f}"
    return shown.rstrip("0").rstrip(".").replace(",", "\N{NARROW NO-BREAK SPACE}")


def _share(value: float | None) -> str:
    """A part of a whole, 0..1, in percent; a dash where there is none."""
    return "\N{EN DASH}" if value is None else f"{value * 100:.1f} %"


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
