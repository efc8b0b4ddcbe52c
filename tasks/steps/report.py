"""The report, from what the stages and the ledger have recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.report import build_report
from tasks.report import write_report as write_files
from tasks.report.model import LedgerFigures
from tasks.report.write import Written
from tasks.steps.workplace import current

FIGURES_FILE = "figures.json"


def write_report(out: Path, figures: Mapping[str, Any] | None = None) -> Written:
    """Write report.json and report.html to `out`.

    `figures` is what only the caller knows (how long the rehearsal's site took); it is kept beside the
    stages, so that a later report has it as well.
    """
    place = current()
    kept = place.state / FIGURES_FILE
    if figures is not None:
        kept.write_text(json.dumps(figures, indent=1) + "\n")
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    place.ledger.checkpoint()
    entries = place.ledger.entries()
    report = build_report(
        place.site,
        ledger=LedgerFigures(
            path=str(place.state / "ledger"),
            entries=len(entries),
            root=place.ledger.root(),
            key=place.ledger.verifier_key,
        ),
        entries=[entry.as_json() for entry in entries],
        written_at=place.clock.now(),
        measured=known,
    )
    return write_files(report, out)
