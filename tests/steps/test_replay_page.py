"""The page is drawn beside the stage's work; what goes wrong with it costs neither rounds nor a process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tasks.steps.replay_page import PAGE, page_of
from tasks.steps.report import write_report
from tasks.steps.stage import Draft
from tasks.steps.workplace import opened
from tests.inventory.sites import whole
from tests.report import sample
from tests.report.test_joined import written
from tests.report.test_load import run
from tests.steps.conftest import Heard
from tests.steps.fakes import World


def test_without_a_valid_round_nothing_is_drawn_and_the_old_page_is_gone(tmp_path: Path) -> None:
    with opened(whole(tmp_path / "site"), progress=Heard(), make_drivers=World().drivers) as place:
        (place.state / PAGE).write_text("an older replay's")
        draft = Draft()
        with page_of(place, draft, {"source": [tmp_path], "target": []}):
            pass
        assert draft.figures == {}
        assert not (place.state / PAGE).exists()


def test_a_page_that_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    heard, draft, gone = Heard(), Draft(), [tmp_path / "gone"]
    with (
        opened(whole(tmp_path / "site"), progress=heard, make_drivers=World().drivers) as place,
        page_of(place, draft, {"source": gone, "target": gone}),
    ):
        pass
    assert "no run of `replay run` is here" in draft.figures["page_error"]
    assert heard.said == [f"the page of the rounds could not be drawn: {draft.figures['page_error']}"]


def test_an_interrupted_stage_waits_for_no_page(tmp_path: Path) -> None:
    kept = {side: [written(tmp_path / side, run(20))] for side in ("source", "target")}
    with opened(whole(tmp_path / "site"), progress=Heard(), make_drivers=World().drivers) as place:
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt), page_of(place, Draft(), kept):
            raise KeyboardInterrupt
        assert time.monotonic() - started < 1
        assert not (place.state / PAGE).exists()


def test_a_report_elsewhere_takes_the_page_along(tmp_path: Path) -> None:
    with opened(whole(tmp_path / "site"), progress=Heard(), make_drivers=World().drivers) as place:
        sample.write(place.state)
        (place.state / PAGE).write_text("the page")
        report = write_report(tmp_path / "out")
        assert (tmp_path / "out" / PAGE).read_text() == "the page"
        assert f'href="{PAGE}"' in report.html.read_text()
        write_report(place.state)  # beside the page already
        assert (place.state / PAGE).read_text() == "the page"
