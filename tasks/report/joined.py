"""The runs of one side's rounds, laid end to end as one run.

Counts are sums, histograms are added by counts, and of what must stay small the largest counts. No percentile
is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from inventory.errors import BadInput
from tasks.replay.figures import Course, result_of
from tasks.replay.records import Records
from tasks.replay.result_files import read_histograms
from tasks.replay.tally import Measured, Tally, tally_with
from tasks.report.load import Run, read_run

_TIMES = ("due_s", "fired_s", "sent_s", "first_byte_s", "done_s")  # after the start of their run


def read_joined(folders: Sequence[Path]) -> Run:
    """The runs in these folders, in their order. Raises BadInput where one holds no run."""
    if not folders:
        raise BadInput("no run is named")
    runs = [read_run(folder) for folder in folders]
    results = [run.result for run in runs]
    tally = reduce(add, (_tally(folder, run) for folder, run in zip(folders, runs, strict=True)))
    records, skipped = (sum(result[name] for result in results) for name in ("records", "skipped"))
    reasons = [reason for result in results for reason in result["reasons"]]
    first = results[0]
    about = {"target": first["target"], "pace": f"{len(runs)} rounds, shown end to end: {first['pace']}"}
    return Run(result_of(tally, records, skipped, _course(results), reasons) | about, _end_to_end(runs))


def _tally(folder: Path, run: Run) -> Tally:
    requests, errors = run.result["requests"], run.result["errors_by_route"]
    try:
        response, service = (read_histograms(folder, which, requests) for which in ("response", "service"))
        routes = {
            name: Measured(name, requests[name], errors[name], response[name], service[name], None)
            for name in requests
        }
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"the histograms cannot be read: {error}", folder) from None
    return tally_with(routes, run.records)


def _course(results: Sequence[dict[str, Any]]) -> Course:
    first = results[0]
    return Course(
        seconds=sum(result["seconds"] for result in results),
        cpu_share=max(result["generator_cpu"] for result in results),
        backlog_max=max(result["backlog_max"] for result in results),
        connections_opened=sum(result["connections_opened"] for result in results),
        unasked=sum(result["unasked_answers"] for result in results),
        stopped_because="",
        timeout_s=first["timeout_s"],
        slo_ms=0.0,
        scheduling=first["scheduling"],
        tls=first["tls"],
        connect_error="",
    )


def _end_to_end(runs: Sequence[Run]) -> Records:
    starts = np.cumsum([0.0, *(run.result["seconds"] for run in runs[:-1])])

    def joined(name: str) -> Any:
        parts = [getattr(run.records, name) for run in runs]
        if name in _TIMES:
            parts = [part + start for part, start in zip(parts, starts, strict=True)]
        return np.concatenate(parts)

    return Records(**{name: joined(name) for name in Records.__dataclass_fields__})
