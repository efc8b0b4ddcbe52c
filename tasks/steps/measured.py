"""What only the caller of a run knows (the time that a site took, its memory), kept for the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASURED_FILE = "figures.json"


def keep_measured(state: Path, figures: Mapping[str, Any]) -> None:
    """Keep them beside the stages, so that every later report has them."""
    (state / MEASURED_FILE).write_text(json.dumps(figures, indent=1) + "\n")


def kept_measured(state: Path) -> dict[str, Any]:
    """What was kept; empty where nothing was."""
    kept = state / MEASURED_FILE
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    return known
