"""The page of the benchmarks: every row that was kept, and how it was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import page, table
from benchmarks.table import Row

ROWS = [
    Row("requests/s", "1/s", 9323.4, "median of 5 turns", "userspace", 6308.0, ">= 1.3x", True),
    Row("facts", "ms", 0.1234, "median of 5 turns", goal="< 1000", met=False),
]


def test_what_was_kept_stands_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "OUT", tmp_path)
    table.show("kube_proxy", ROWS)
    assert page.read(tmp_path) == {"kube_proxy": ROWS}
    said = page.render(page.read(tmp_path), "2 processors").splitlines()
    assert "| requests/s | 9,323 | 1/s | userspace 6,308 | 1.478 | >= 1.3x | met |" in said
    assert "| facts | 0.123 | ms |  |  | < 1000 | **not met** |" in said
    assert said.count("- median of 5 turns") == 1
