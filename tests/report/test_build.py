"""report.json holds what was recorded, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.verdict import Verdict
from tasks.report.stages import ORDER, read_stages, read_survey
from tests.report import sample
from tests.report.conftest import Build


def test_a_whole_exit(build: Build) -> None:
    report = build(None)
    assert report.verdict is Verdict.WARN  # the worst that was recorded
    assert [stage.name for stage in report.stages] == [*ORDER, "customers"]
    assert report.seconds == pytest.approx(sum(r.seconds for r in sample.results().values()))
    assert report.data_plane["iptables"].requests_per_s == 17_850.2
    assert report.moved["database"]["checksums_equal"] is True
    assert report.decision["go"] is True
    assert report.survey is not None
    assert (report.survey.resources, report.survey.incomplete) == (3, ())
    assert {node.name: node.prepare_s for node in report.nodes}["oslo-2"] == 41.2


def test_the_customers_log_is_the_witness_of_the_cutover(build: Build) -> None:
    cutover = build(None).cutover
    assert cutover is not None
    assert (cutover.requests, cutover.failed, cutover.orders_lost, cutover.orders_doubled) == (9120, 0, 0, 0)
    assert cutover.write_freeze_s == 0.84
    assert [(step.percent, step.at_s) for step in cutover.steps][:2] == [(0, 5.0), (1, 11.0)]
    assert [round(cutover.timeline[n].t_s) for n in (0, -1)] == [-1, 43]  # whole seconds of the clock
    assert cutover.timeline[20].sites == {"aws": 100, "oslo": 100}
    assert cutover.more == {"orders_by_site": {"aws": 180, "oslo": 251}}
    assert [(span.what, span.from_s, span.to_s) for span in cutover.spans] == [
        ("database/changeover", 29.2, 30.1),
        ("dns/set", 36.1, 36.2),
    ]


def test_what_was_not_measured_is_none_and_not_zero(build: Build) -> None:
    chosen = sample.results()
    del chosen["customers"]
    chosen["cutover"] = chosen["cutover"].model_copy(update={"figures": {}})
    cutover = build(chosen).cutover
    assert cutover is not None
    assert (cutover.requests, cutover.failed, cutover.orders_lost, cutover.write_freeze_s) == (None,) * 4
    assert (cutover.steps, cutover.timeline) == ((), ())


@pytest.mark.parametrize("missing", ORDER)
def test_an_exit_with_a_stage_missing_is_no_pass(build: Build, missing: str) -> None:
    chosen = {name: result for name, result in sample.results().items() if name != missing}
    report = build(chosen)
    assert report.verdict is Verdict.NODATA
    assert [stage.name for stage in report.stages if stage.verdict is None] == [missing]


def test_nothing_was_run(build: Build) -> None:
    report = build({})
    assert report.verdict is Verdict.NODATA
    assert {stage.verdict for stage in report.stages} == {None}
    assert (report.cutover, report.replay, report.latency, report.data_plane) == (None, None, {}, {})


def test_the_worst_stage_is_the_verdict(build: Build) -> None:
    chosen = sample.results()
    chosen["gate"] = chosen["gate"].model_copy(update={"verdict": Verdict.FAIL})
    assert build(chosen).verdict is Verdict.FAIL


def test_a_waiver_names_what_it_let_through(build: Build) -> None:
    report = build(None)
    assert report.waivers[0].used_by == tuple(f"prepare: ADM-KVM oslo-{n}" for n in (1, 2, 3))
    prepare = next(stage for stage in report.stages if stage.name == "prepare")
    assert prepare.findings == {"waived": 3, "pass": 3}
    row = next(row for row in report.checks if row.code == "ADM-KVM")
    assert (row.verdict, row.waived_by, row.grade, row.severity) == (
        Verdict.FAIL,
        "Kari Nordmann",
        "E2",
        "critical",
    )


def test_only_the_rounds_over_all_requests_are_drawn(build: Build) -> None:
    replay = build(None).replay
    assert replay is not None
    assert len(replay.rounds) == 16
    assert set(replay.curves_ms) == {"source", "target"}
    assert "rounds" not in replay.figures


def test_what_the_servers_state_is_no_round_of_the_clients(build: Build) -> None:
    chosen = sample.results()
    figures = dict(chosen["replay"].figures)
    stated = [{**row, "vantage": "server"} for row in figures["rounds"]]
    chosen["replay"] = chosen["replay"].model_copy(
        update={"figures": figures | {"rounds": [*figures["rounds"], *stated]}}
    )
    replay = build(chosen).replay
    assert replay is not None
    assert len(replay.rounds) == 16


def test_a_broken_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "move.json").write_text('{"name": "move"}')
    with pytest.raises(BadInput, match=r"move\.json: not a stage's result: verdict: Field required"):
        read_stages(tmp_path)
    (tmp_path / "stages" / "move.json").write_text(sample.results()["gate"].model_dump_json())
    with pytest.raises(BadInput, match="holds the result of the stage gate"):
        read_stages(tmp_path)
    (tmp_path / "survey.json").write_text("{}")
    with pytest.raises(BadInput, match="not a survey"):
        read_survey(tmp_path)
