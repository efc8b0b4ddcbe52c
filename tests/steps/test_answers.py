"""The replay's comparison of answers on real servers: what stands in its finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inventory.models.verdict import Verdict
from tasks.replay.capture import read_capture
from tasks.replay.target_url import endpoint_of
from tasks.steps.answers import CODE, compare_answers
from tasks.steps.stage import Draft
from tasks.steps.workplace import opened
from tests.inventory.sites import WHOLE, folder_with
from tests.replay.conftest import Start, capture, start_server
from tests.steps.conftest import Heard
from tests.steps.fakes import World

__all__ = ["capture", "start_server"]
Captured = Callable[..., Path]


def compared(folder: Path, capture: Path, urls: Sequence[str], rules: str = "{}") -> Draft:
    rules_of_it = f"  capture: plain\n  answers: {rules}\n"
    file = folder_with(folder, WHOLE.read_text().replace("  capture: plain\n", rules_of_it))
    source, target = (endpoint_of(url) for url in urls)
    draft = Draft()
    with opened(file, progress=Heard(), actor="tests", make_drivers=World().drivers) as place:
        compare_answers(draft, read_capture(capture), (source, target))
        assert (place.state / "answers" / "differences.diff").exists() is bool(draft.findings)
    return draft


@pytest.mark.parametrize(
    ("paths", "verdict", "said"),
    [
        (("/a", "/noise"), Verdict.PASS, "2 of 2"),
        (("/a", "/side"), Verdict.FAIL, "1 differently"),
        (("/a", "/garbage"), Verdict.FAIL, "1 without an answer"),
    ],
)
def test_what_differs_is_a_finding(
    paths: tuple[str, ...],
    verdict: Verdict,
    said: str,
    tmp_path: Path,
    start_server: Start,
    capture: Captured,
) -> None:
    urls = [start_server(side)[1] for side in "ab"]
    draft = compared(tmp_path / "site", capture(*(f"GET {path}" for path in paths)), urls)
    (finding,) = draft.findings
    assert (finding.code, finding.verdict) == (CODE, verdict)
    assert said in finding.observed
    assert bool(finding.remedy) is (verdict is not Verdict.PASS)
    if verdict is Verdict.FAIL:
        assert finding.observed.endswith(f"the first: GET {paths[1]}")


def test_what_a_rule_of_the_site_ignores_is_the_same(
    tmp_path: Path, start_server: Start, capture: Captured
) -> None:
    urls = [start_server(side)[1] for side in "ab"]
    draft = compared(tmp_path / "site", capture("GET /side"), urls, "{ignore: ['.*']}")
    assert [finding.verdict for finding in draft.findings] == [Verdict.PASS]


def test_none_wanted_asks_nobody(tmp_path: Path, start_server: Start, capture: Captured) -> None:
    _, url = start_server()
    draft = compared(tmp_path / "site", capture("GET /a"), [url, url], "{requests: 0}")
    assert draft.findings == []
    assert draft.figures == {}
