"""`rehearse`: the order of refusing, building, running, reporting and taking down, on a made-up site."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import rehearsing, rehearsing_deep
from rehearsal import deep, packages, parts, site, teardown
from rehearsal.plan import Plan
from rehearsal.site import AlreadyUp, Site


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of a rehearsal that has run, or is running."""
    out = tmp_path / "out"
    (out / "ledger").mkdir(parents=True)
    (out / "report.html").write_text("the last one's")
    return out


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


def test_a_site_that_came_up_in_the_meantime_is_not_taken_down(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever builds for a quarter of an hour and then fails, may find another one's site up."""
    taken: list[str] = []

    def fails(*_: object, out: Path) -> Site:
        raise packages.CommandFailed("part kubernetes", "does not build")

    monkeypatch.setattr(site, "up", fails)
    monkeypatch.setattr(site, "down", lambda *_: taken.append("the site"))
    with pytest.raises(packages.CommandFailed):
        rehearsing.bring_up(earlier, None)
    assert taken == []


def test_a_failure_after_the_site_is_up_takes_it_down(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def fails(plan: Plan) -> None:
        raise packages.CommandFailed("access log", "is empty")

    monkeypatch.setattr(site, "up", lambda *_, out: Site(Plan(), out, out, {}))
    monkeypatch.setattr(site, "down", lambda *_: taken.append("the site"))
    monkeypatch.setattr(rehearsing, "make_capture", fails)
    with pytest.raises(packages.CommandFailed):
        rehearsing.bring_up(earlier, None)
    assert taken == ["the site"]


def test_a_folder_of_somebody_elses_is_not_renamed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters").write_text("")
    rehearsing.forget_last(tmp_path / "home")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_deep_sets_nothing_aside_before_its_machines_are_up(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Site:
        raise packages.CommandFailed("kvm-1", "does not boot")

    monkeypatch.setattr(deep, "up", fails)
    with pytest.raises(packages.CommandFailed):
        rehearsing_deep.rehearse_deep(earlier, keep=False, ready_parts=None, as_json=False)
    assert (earlier / "report.html").exists()
