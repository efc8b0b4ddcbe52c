"""The rounds of a side as one run: nothing is lost, percentiles are of all requests, it is drawn apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inventory.errors import BadInput
from tasks.replay.result_files import write
from tasks.replay.tally import tally_of
from tasks.report.joined import read_joined
from tests.report.test_load import COURSE, EVIL, TARGETS, Run, run
from tests.report.test_page import read


def written(folder: Path, made: Run) -> Path:
    folder.mkdir(parents=True)
    measured = tally_of(made.records, TARGETS, COURSE.timeout_s).routes
    write(folder, made.result, measured, made.records)
    return folder


def test_rounds_are_added_by_counts(tmp_path: Path) -> None:
    folders = [written(tmp_path / "1", run(10)), written(tmp_path / "2", run(90, failed=4))]
    joined = read_joined(folders)
    result = joined.result
    assert (result["records"], result["done"], result["errors"]) == (800, 796, 4)
    assert result["reconciliation"] == "800 records = 796 done + 4 errors + 0 skipped + 0 unsent"
    assert result["requests"] == {"*": 800, "/cart": 400, EVIL: 400}
    assert result["errors_by_route"] == {"*": 4, "/cart": 2, EVIL: 2}
    of_all = np.where(joined.records.fault > 0, 10.0, joined.records.done_s - joined.records.due_s) * 1000
    for name, percentile in (("p50", 50), ("p95", 95)):
        exact = np.percentile(of_all, percentile, method="inverted_cdf")
        assert result["response_ms"][name] == pytest.approx(exact, rel=1e-3)
        assert result["response_ms"]["routes"]["/cart"][name] is not None
    assert result["response_ms"]["max"] == 10_000
    assert result["seconds"] == 2 * COURSE.seconds
    assert result["pace"] == "2 rounds, shown end to end: 100 requests/s"


def test_a_round_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    folders = [written(tmp_path / name, run(10)) for name in ("1", "2", "3")]
    due_s = read_joined(folders).records.due_s
    assert len(due_s) == 1200
    assert (np.diff(due_s) > 0).all()
    assert due_s[800] == 2 * COURSE.seconds


def test_a_folder_without_histograms_is_bad_input(tmp_path: Path) -> None:
    folder = written(tmp_path / "1", run(10))
    (folder / "service.hlog").unlink()
    with pytest.raises(BadInput, match="histograms cannot be read"):
        read_joined([folder])


def test_the_page_is_drawn_by_a_process_of_its_own(tmp_path: Path) -> None:
    source = [written(tmp_path / "source" / name, run(40)) for name in ("1", "2")]
    target = [written(tmp_path / "target" / name, run(20, failed=3)) for name in ("1", "2")]
    out = tmp_path / "replay.html"
    argv = [sys.executable, "-m", "tasks.report.rounds_page", out, "--source", *source, "--target", *target]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = read(out.read_text())
    assert "source: http://40.example" in page.text
    assert "800 records = 794 done + 6 errors" in page.text
    assert [path.name for path in tmp_path.glob("*.new")] == []
    gone = subprocess.run([*argv[:-1], tmp_path / "none"], capture_output=True, text=True, check=False)
    assert gone.returncode == 2
    assert "no run of `replay run` is here" in gone.stderr
