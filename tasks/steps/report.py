"""The report, from what the stages and the ledger have recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

from tasks.report.build import build_report
from tasks.report.model import LedgerFigures
from tasks.report.write import Written
from tasks.report.write import write_report as write_files
from tasks.steps.measured import kept_measured
from tasks.steps.replay_page import PAGE
from tasks.steps.workplace import current


def write_report(out: Path) -> Written:
    """Write report.json and report.html to `out`."""
    place = current()
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
        measured=kept_measured(place.state),
    )
    written = write_files(report, out)
    page = place.state / PAGE
    if report.replay and report.replay.page and page.exists() and out.resolve() != place.state.resolve():
        shutil.copyfile(page, out / PAGE)  # the report names it as a file beside itself
    return written
