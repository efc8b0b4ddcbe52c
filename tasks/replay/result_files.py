"""The files of a run.

Files in `out_dir`: `result.json`, `response.hlog` and `service.hlog` (HdrHistogram log, one tagged line a
route), `records.npz` (one item a request).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.replay.histogram import Histogram
from tasks.replay.job import RECORDS_FILE
from tasks.replay.records import Records
from tasks.replay.routes import OVER_ALL
from tasks.replay.tally import Measured


def write(out_dir: Path, result: dict[str, Any], measured: dict[str, Measured], records: Records) -> None:
    """Writes them all; result.json last."""
    records.save(out_dir / RECORDS_FILE)
    for which in ("response", "service"):
        lines = ["#[Histogram log format version 1.2]", "#[values are microseconds]"]
        for name, route in measured.items():
            histogram = getattr(route, which)
            seconds = result["seconds"]
            lines.append(
                f"Tag={_tag(name)},0.000,{seconds:.3f},{histogram.max_us / 1000:.3f},{histogram.encoded()}"
            )
        (out_dir / f"{which}.hlog").write_text("\n".join(lines) + "\n")
    # Last, and at once: who sees result.json sees a complete run.
    written = out_dir / "result.json.part"
    written.write_text(json.dumps(result, indent=2, sort_keys=False) + "\n")
    written.replace(out_dir / "result.json")


def read_histograms(folder: Path, which: str, routes: Iterable[str]) -> dict[str, Histogram]:
    """The histograms that `write` left, `which` being `response` or `service`.

    Raises ValueError or KeyError where the file is none, or has a route that is not among `routes`.
    """
    names = {_tag(route): route for route in routes}
    found = {}
    for line in (folder / f"{which}.hlog").read_text().splitlines():
        if not line.startswith("#"):
            tag, _, _, max_ms, encoded = line.split(",")
            largest_us = round(float(max_ms) * 1000)
            found[names[tag.removeprefix("Tag=")]] = Histogram.decoded(encoded, largest_us)
    return found


def _tag(route: str) -> str:
    return "all" if route == OVER_ALL else route.replace(",", "%2C")
