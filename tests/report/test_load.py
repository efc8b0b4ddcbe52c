"""The page of a load run: every request in the heat map, failures shown, both sides, nothing loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.capture import Target
from tasks.replay.figures import Course, reasons_invalid, result_of
from tasks.replay.job import RECORDS_FILE
from tasks.replay.records import Fault, Records
from tasks.replay.tally import tally_of
from tasks.report.load import Run, read_run, render_runs
from tasks.report.plots.load import shares
from tests.report.test_page import read

EVIL = "/<script>alert(1)</script>"
COURSE = Course(4.0, 0.2, 0, 64, 0, "", 10.0, 0.0, "other", "", "")
TARGETS = (Target("GET", "/cart", "/cart"), Target("GET", EVIL, EVIL))


def run(milliseconds: float, failed: int = 0) -> Run:
    """400 requests in 4 s over two routes; the last `failed` ones had no answer."""
    due_s = np.arange(400) / 100
    done_s = due_s + milliseconds / 1000
    fault = np.zeros(400, dtype=np.uint8)
    if failed:
        fault[-failed:], done_s[-failed:] = Fault.TIMEOUT, np.nan
    none = np.zeros(400, dtype=np.uint8)
    answered = np.full(400, 200, dtype=np.uint16)
    records = Records(
        due_s=due_s,
        fired_s=due_s,
        sent_s=due_s,
        first_byte_s=done_s,
        done_s=done_s,
        server_s=np.full(400, np.nan),
        status=answered,
        body_hash=np.zeros(400, dtype=np.uint64),
        fault=fault,
        retried=none,
        fresh=none,
        target=(np.arange(400) % 2).astype(np.uint32),
        expected_status=answered,
    )
    tally = tally_of(records, TARGETS, COURSE.timeout_s)
    result = result_of(tally, 400, 0, COURSE, reasons_invalid(tally, COURSE))
    return Run(result | {"target": f"http://{milliseconds:g}.example", "pace": "100 requests/s"}, records)


def test_one_run() -> None:
    page = render_runs([run(20, failed=3)])
    said = read(page)
    assert "script" not in said.tags
    assert [each for each in said.references if not each.startswith("#")] == []
    assert "Failed requests, by when they were due." in page
    assert "400 records = 397 done + 3 errors" in said.text
    assert len(said.ids) == len(set(said.ids))


def test_source_and_target_beside_each_other() -> None:
    page = render_runs([run(40), run(20)])
    said = read(page)
    assert "source: http://40.example" in said.text
    assert "target: http://20.example" in said.text
    assert page.count("No request failed.") == 2
    assert len(said.ids) == len(set(said.ids))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made = run(20)
    (tmp_path / "result.json").write_text(json.dumps(made.result))
    made.records.save(tmp_path / RECORDS_FILE)
    assert render_runs([read_run(tmp_path)]) == render_runs([made])


@pytest.mark.parametrize("content", [None, "{}", "no json", json.dumps({"response_ms": {"routes": {}}})])
def test_a_folder_without_a_run_is_bad_input(content: str | None, tmp_path: Path) -> None:
    run(20).records.save(tmp_path / RECORDS_FILE)
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(BadInput, match=str(tmp_path)):
        read_run(tmp_path)


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 1e6)), min_size=1, max_size=60))
def test_every_request_lies_in_a_field(points: list[tuple[float, float]]) -> None:
    due_s, response_ms = np.array(points).T
    at, times, share = shares(due_s, response_ms)
    assert share.shape == (len(at) - 1, len(times) - 1)
    per_moment, _ = np.histogram(due_s, bins=at)
    assert per_moment.sum() == len(points)
    assert np.allclose(share.sum(axis=1), per_moment > 0)
