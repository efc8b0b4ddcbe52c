"""`rehearse`: the order of refusing, building, running, reporting and taking down, on a made-up site."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from flows import rehearsing, rehearsing_deep
from flows.cli import running
from flows.cli.exits import answering
from flows.cli.running import Running
from flows.cli.running import _refusals as refusals
from flows.orchestrator import Server
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from rehearsal import deep, packages, parts, site, teardown
from rehearsal.customers_process import Customers
from rehearsal.plan import Plan
from rehearsal.site import AlreadyUp, Site
from tasks.drivers.errors import CommandFailed, ServiceFailed
from tasks.steps.report import write_report
from tasks.steps.stage import Halt, stage
from tasks.steps.workplace import opened
from tests.steps.conftest import finding
from tests.steps.fakes import World


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of a rehearsal that has run, or is running."""
    out = tmp_path / "out"
    (out / "ledger").mkdir(parents=True)
    (out / "report.html").write_text("the last one's")
    return out


@pytest.fixture
def none_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine really has up."""
    monkeypatch.setattr(teardown, "present", lambda plan: False)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site is up; whoever installs or builds anything now fails the test."""

    def too_early(*arguments: object, **options: object) -> None:
        pytest.fail("a second rehearsal is refused before anything is installed or built")

    monkeypatch.setattr(teardown, "present", lambda plan: True)
    monkeypatch.setattr(packages, "install", too_early)
    monkeypatch.setattr(parts, "build", too_early)
    monkeypatch.setattr(parts, "ready", too_early)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("ready_parts", [None, Path("/nonexistent")])
def test_a_second_rehearsal_is_refused_before_anything(earlier: Path, ready_parts: Path | None) -> None:
    with pytest.raises(AlreadyUp, match="safe-harbor rehearse down"):
        rehearsing.rehearse_exit(earlier, fault=None, keep=False, ready_parts=ready_parts, as_json=False)
    with pytest.raises(AlreadyUp, match="safe-harbor rehearse down"):
        rehearsing_deep.rehearse_deep(earlier, keep=False, ready_parts=ready_parts, as_json=False)
    with pytest.raises(AlreadyUp, match="safe-harbor rehearse down"):
        rehearsing.bring_up(earlier, ready_parts)
    assert [path.name for path in earlier.parent.iterdir()] == ["out"], "the running one's folder is in use"


@pytest.mark.usefixtures("none_up")
def test_the_last_ones_folder_is_set_aside_once_the_site_is_ours(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def up(*_: object, out: Path) -> Site:
        assert (out / "report.html").exists(), "another one may still be up, and write there"
        return Site(Plan(), out, out, {})

    monkeypatch.setattr(site, "up", up)
    monkeypatch.setattr(rehearsing, "make_capture", lambda plan: None)
    rehearsing.bring_up(earlier, None)
    (aside,) = earlier.parent.iterdir()
    assert aside.name.startswith("out.20")
    assert (aside / "report.html").read_text() == "the last one's"


@pytest.mark.usefixtures("none_up")
def test_a_site_that_came_up_in_the_meantime_is_not_taken_down(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever builds for a quarter of an hour and then fails, may find another one's site up."""
    taken: list[str] = []

    def fails(*_: object, out: Path) -> Site:
        raise CommandFailed("part kubernetes", "does not build")

    monkeypatch.setattr(site, "up", fails)
    monkeypatch.setattr(site, "down", lambda *_: taken.append("the site"))
    with pytest.raises(CommandFailed):
        rehearsing.bring_up(earlier, None)
    assert taken == []


@pytest.mark.usefixtures("none_up")
def test_a_failure_after_the_site_is_up_takes_it_down(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def fails(plan: Plan) -> None:
        raise CommandFailed("access log", "is empty")

    monkeypatch.setattr(site, "up", lambda *_, out: Site(Plan(), out, out, {}))
    monkeypatch.setattr(site, "down", lambda *_: taken.append("the site"))
    monkeypatch.setattr(rehearsing, "make_capture", fails)
    with pytest.raises(CommandFailed):
        rehearsing.bring_up(earlier, None)
    assert taken == ["the site"]


def test_a_folder_of_somebody_elses_is_not_renamed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters").write_text("")
    rehearsing.forget_last(tmp_path / "home")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.usefixtures("none_up")
def test_deep_sets_nothing_aside_before_its_machines_are_up(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Site:
        raise CommandFailed("kvm-1", "does not boot")

    monkeypatch.setattr(deep, "up", fails)
    with pytest.raises(CommandFailed):
        rehearsing_deep.rehearse_deep(earlier, keep=False, ready_parts=None, as_json=False)
    assert (earlier / "report.html").exists()


class Stages:
    """What the exit does on the made-up site, and what was called, in its order."""

    def __init__(self) -> None:
        self.ends: BaseException | None = None
        self.done: list[str] = []
        self.report_fails = False

    def whole_exit(self, running: Running, **_: object) -> list[StageResult]:
        for name in ("survey", "plan", "approve"):
            with stage(name) as draft:
                draft.add([finding()])
        if self.ends is not None:
            with refusals(), stage("cutover"):
                raise self.ends
        return []

    def report(self, up: Site, out: Path) -> None:
        if self.report_fails:
            raise CommandFailed("the report", "cannot be drawn")
        with opened(up.site_file):
            write_report(out)
        self.done.append("report")

    def take_down(self) -> list[str]:
        self.done.append("down")
        return []


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, site_file: Path, world: World) -> Stages:
    """A rehearsal whose site, server and customers are made up; stages, records and report are real."""
    made = Stages()
    up = Site(Plan(), site_file, Path("/programs"), {"all": 1.0})
    saw = StageResult(
        name="customers",
        verdict=Verdict.PASS,
        started_at=world.clock.now(),
        seconds=1.0,
        findings=(finding("CUS-ORDERS"),),
        figures={"requests": 9},
    )

    @contextmanager
    def server(home: Path) -> Iterator[Server]:
        yield Server("http://127.0.0.1:1/api", None)

    def workplace(file: Path, **options: Any) -> Any:
        return opened(file, make_drivers=world.drivers, **options)

    def start(customers: Customers) -> None:
        customers.started = True

    monkeypatch.setattr(running, "server", server)
    monkeypatch.setattr("tasks.steps.workplace.opened", workplace)
    monkeypatch.setattr(Running, "whole_exit", lambda running, **options: made.whole_exit(running, **options))
    monkeypatch.setattr(Customers, "start", start)
    monkeypatch.setattr(rehearsing, "customers_saw", lambda *_: saw)
    monkeypatch.setattr(rehearsing, "refuse_second", lambda: None)
    monkeypatch.setattr(rehearsing, "make_ready", lambda parts: parts)
    monkeypatch.setattr(rehearsing, "_bring_up_apart", lambda out, parts: up)
    monkeypatch.setattr(rehearsing, "_leave_server_up", lambda up, home: None)
    monkeypatch.setattr(rehearsing, "_report_apart", made.report)
    monkeypatch.setattr(rehearsing, "take_down", made.take_down)
    return made


def rehearse(out: Path, *, keep: bool = False) -> int:
    """As the command line does it."""
    one = App(name="one", result_action="return_value", suppress_keyboard_interrupt=False)

    @one.default
    def command() -> int:
        return rehearsing.rehearse_exit(out, fault=None, keep=keep, ready_parts=None, as_json=False)

    return answering(one, [])


def table_of(said: str) -> dict[str, str]:
    """The closing table: stage and verdict."""
    lines = said.splitlines()
    heading = next(n for n, line in enumerate(lines) if line.split()[:2] == ["stage", "verdict"])
    rows = itertools.takewhile(lambda words: len(words) == 5, (line.split() for line in lines[heading + 1 :]))
    return {words[0]: words[1] for words in rows}


WELL = {"survey": "pass", "plan": "pass", "approve": "pass"}


def test_the_closing_table_has_the_customers(
    stages: Stages, site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = site_file.parent / "state"
    assert rehearse(out) == 0
    assert table_of(capsys.readouterr().err) == {**WELL, "customers": "pass"}
    assert stages.done == ["report", "down"]


def test_the_closing_table_stands_also_where_a_stage_refuses(
    stages: Stages, site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.ends = Halt("refused")
    out = site_file.parent / "state"
    assert rehearse(out) == 1
    assert table_of(capsys.readouterr().err) == {**WELL, "cutover": "ERROR", "customers": "pass"}
    assert stages.done == ["report", "down"]


ENDINGS = [
    (lambda: ServiceFailed("rds", "is gone"), 3, "rds: is gone"),
    (KeyboardInterrupt, 130, "interrupted"),
]


@pytest.mark.parametrize(("ends", "code", "says"), ENDINGS, ids=["outside", "interrupt"])
def test_an_exit_that_ends_early_leaves_its_report_before_the_site_goes(
    stages: Stages,
    site_file: Path,
    capsys: pytest.CaptureFixture[str],
    ends: Callable[[], BaseException],
    code: int,
    says: str,
) -> None:
    stages.ends = ends()
    out = site_file.parent / "state"
    assert rehearse(out) == code
    assert stages.done == ["report", "down"]
    report = json.loads((out / "report.json").read_text())
    assert report["verdict"] == "error"
    recorded = {each["name"]: each["verdict"] for each in report["stages"] if each["verdict"]}
    assert {name: recorded[name] for name in (*WELL, "cutover")} == {**WELL, "cutover": "error"}
    assert (out / "report.html").stat().st_size > 10_000
    said = capsys.readouterr().err
    assert table_of(said) == {**WELL, "cutover": "ERROR"}
    assert f"{says}\n  the site was taken down; what was recorded is in {out}\n" in said
    assert "--resume" not in said


@pytest.mark.parametrize(("ends", "code", "says"), ENDINGS, ids=["outside", "interrupt"])
def test_with_keep_it_can_go_on(
    stages: Stages,
    site_file: Path,
    capsys: pytest.CaptureFixture[str],
    ends: Callable[[], BaseException],
    code: int,
    says: str,
) -> None:
    stages.ends = ends()
    assert rehearse(site_file.parent / "state", keep=True) == code
    assert stages.done == ["report"]
    said = capsys.readouterr().err
    assert f"{says}\n  the site is still up: `safe-harbor run rehearsal --resume` goes on from here\n" in said


def test_a_report_that_fails_too_does_not_hide_why_it_ended(
    stages: Stages, site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.ends = ServiceFailed("rds", "is gone")
    stages.report_fails = True
    assert rehearse(site_file.parent / "state") == 3
    said = capsys.readouterr().err
    assert "the report: cannot be drawn" in said
    assert "safe-harbor: rds: is gone" in said
    assert stages.done == ["down"]


def test_a_site_that_does_not_go_is_named(
    stages: Stages,
    site_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stuck(*_: object) -> list[str]:
        raise ServiceFailed("processes", "[7] do not end")

    monkeypatch.undo()
    monkeypatch.setattr(site, "down", stuck)
    monkeypatch.setattr(deep, "standing", Plan)
    with pytest.raises(ServiceFailed) as failed:
        rehearsing.take_down()
    assert failed.value.__notes__ == [rehearsing.LEFT]


def test_a_refused_second_one_is_not_promised_a_resume(
    second: None, earlier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rehearse(earlier) == 3
    said = capsys.readouterr().err
    assert "remove it: safe-harbor rehearse down\n  the site that is there was not touched\n" in said


@pytest.mark.parametrize("left", [True, False])
def test_a_site_that_could_not_be_built_says_whether_something_is_left(
    left: bool, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, out: Path) -> Site:
        raise CommandFailed("oslo-1", "does not boot")

    monkeypatch.setattr(rehearsing, "refuse_second", lambda: None)
    monkeypatch.setattr(site, "up", fails)
    monkeypatch.setattr(site, "is_up", lambda: left)
    with pytest.raises(CommandFailed) as failed:
        rehearsing.bring_up(earlier, None)
    assert failed.value.__notes__ == [rehearsing.LEFT if left else rehearsing.GONE]


def test_what_builds_the_site_can_be_interrupted_from_a_background_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started by `make rehearse &` in a script, it ignored the signal that tells it of our end."""
    built = {"site_file": "/site.yaml", "programs": "/programs", "seconds": {"all": 1.0}}
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!/bin/sh\ngrep SigIgn /proc/$$/status > {tmp_path}/ignored\necho '{json.dumps(built)}'\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setattr(rehearsing.sys, "executable", str(stand_in))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        up = rehearsing._bring_up_apart(tmp_path / "out", None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert up == Site(Plan(), Path("/site.yaml"), Path("/programs"), {"all": 1.0})
    ignored = int((tmp_path / "ignored").read_text().split()[1], 16)
    assert not ignored & 1 << (signal.SIGINT - 1)


def test_the_deep_rehearsals_last_line_has_the_first_figures() -> None:
    def result(name: str, **figures: object) -> StageResult:
        return StageResult(
            name=name, verdict=Verdict.PASS, started_at=datetime.now(UTC), seconds=1.0, figures=figures
        )

    made = result("provision", usable_s={"oslo-2": 81.4, "oslo": 75.2})
    ready = result("ready", ready_after_s={"oslo": 517.0})
    again = result("provision, again", usable_s={})
    assert rehearsing_deep.closing([made, ready, again]) == (
        "machines usable after 75 s (oslo), 81 s (oslo-2); Ready after 517 s (oslo)"
    )
    assert rehearsing_deep.closing([made]).endswith("Ready after no time: not reached")
