from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inventory.models.stage import StageResult
from tasks.report.build import build_report
from tasks.report.model import Report
from tests.report import sample

Build = Callable[[dict[str, StageResult] | None], Report]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds the report of the made-up results, or of those that are given."""

    def built(chosen: dict[str, StageResult] | None = None) -> Report:
        state = tmp_path / "state"
        sample.write(state, chosen)
        return build_report(
            sample.site(state),
            ledger=sample.LEDGER,
            entries=sample.entries(),
            written_at=sample.START,
            measured={"site_s": {"all": 71.3, "nodes": 40.2}, "orchestrator_rss_mb": 412.0},
        )

    return built
