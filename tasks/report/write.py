"""Writes report.json and report.html."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.report.model import Report
from tasks.report.page import render


@dataclass(frozen=True)
class Written:
    """Where the report lies."""

    json: Path
    html: Path


def write_report(report: Report, out_dir: Path) -> Written:
    """Write both files, each at once: a reader never sees half of one."""
    out_dir.mkdir(parents=True, exist_ok=True)
    written = Written(out_dir / "report.json", out_dir / "report.html")
    for path, content in (
        (written.json, report.model_dump_json(by_alias=True, indent=1) + "\n"),
        (written.html, render(report)),
    ):
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(path)
    return written
