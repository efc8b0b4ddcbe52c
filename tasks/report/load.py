"""The page of a load run, or of two beside each other: curve, heat map, failures, a table by route.

A run is the folder that `replay run` wrote: result.json and records.npz.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from inventory.errors import BadInput
from tasks.replay.histogram import Histogram
from tasks.replay.job import RECORDS_FILE
from tasks.replay.records import Fault, Records
from tasks.report.environment import environment
from tasks.report.plots import latency, load

SIDES = ("source", "target")


@dataclass(frozen=True)
class Run:
    """`result` is the content of result.json."""

    result: dict[str, Any]
    records: Records


def read_run(folder: Path) -> Run:
    """Raises BadInput where the folder holds no run."""
    try:
        result = json.loads((folder / "result.json").read_text())
        records = Records.load(folder / RECORDS_FILE)
        routes = result["response_ms"]["routes"]
    except OSError as error:
        raise BadInput(f"no run of `replay run` is here: {error.strerror}", folder) from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the run cannot be read: {error}", folder) from None
    if "*" not in routes:
        raise BadInput("the run has no request", folder)
    return Run(result, records)


def render_runs(runs: list[Run]) -> str:
    """One run, or the source's and the target's."""
    named = dict(zip(SIDES if len(runs) == 2 else SIDES[1:], runs, strict=True))
    curves, pictures = {}, {}
    for side, run in named.items():
        records = run.records
        failed = records.fault != Fault.NONE
        timeout_s = float(run.result["timeout_s"])
        response_s = np.where(failed, timeout_s, records.done_s - records.due_s)
        curves[side] = tuple(Histogram.of(response_s).curve_ms())
        of_side = f" of the {side}" if len(runs) == 2 else ""
        shown, lost = f"Response time{of_side}", f"Failed requests{of_side}"
        pictures[side] = {
            "heat": _drawn(load.heat(f"heat-{side}", shown, records.due_s, response_s * 1000)),
            "failures": _drawn(load.failures(f"failed-{side}", lost, records.due_s, failed)),
        }
    page = environment().get_template("load.html.j2")
    return page.render(
        runs={side: run.result for side, run in named.items()},
        curve=_drawn(latency.curves(curves)),
        pictures=pictures,
        routes=sorted({route for run in runs for route in run.result["response_ms"]["routes"]}),
    )


def _drawn(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - matplotlib escapes its texts
