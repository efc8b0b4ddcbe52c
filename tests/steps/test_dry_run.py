"""A dry run says what a real run would do, and neither sends nor records anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from flows.approve import approve
from flows.replay import replay
from inventory.errors import BadInput
from tasks.steps import gate
from tasks.steps.approve import approved_digest
from tasks.steps.stage import StageRefused, result_path, stage
from tasks.steps.workplace import Workplace, opened
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import QUICK, STANDING, Heard, finding, subjects
from tests.steps.fakes import World
from tests.steps.test_approve import DIGEST, gate_says

pytestmark = pytest.mark.usefixtures("plain_tasks")

CAPTURE = Path(__file__).parents[1] / "data" / "captures" / "shop.log"
RULES = "replay:\n  rate_rps: 50\n  requests_per_round: 600\n  rounds: 12\n"


def loading(folder: Path, source: str, target: str, *, capture: Path = CAPTURE, more: str = "") -> Path:
    text = WHOLE.read_text().replace("replay:\n  capture: plain\n", f"{RULES}  capture: {capture}\n{more}")
    edges = (("http://198.18.0.10", source), ("http://10.60.0.11", target))
    for old, new in edges:
        text = text.replace(f'url: "{old}"', f'url: "{new}"')
    return folder_with(folder, text)


def tried(file: Path) -> Heard:
    heard = Heard()
    with opened(file, progress=heard, actor="tests", make_drivers=World().drivers) as place:
        replay.fn(str(file), dry_run=True)
        assert subjects(place) == []
        assert not result_path(place.state, "replay").exists()
    return heard


def test_a_replay_says_how_much_it_would_send_and_sends_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as edge:
        url = f"http://127.0.0.1:{edge.getsockname()[1]}"
        heard = tried(loading(tmp_path / "site", url, url))
        edge.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has connected
            edge.accept()
    assert heard.said == [
        f"would send 600 requests at 50 requests/s to {url}, then to {url}, as a warm-up",
        f"would send 600 requests at 50 requests/s to {url} and to {url} in each of at most 12 rounds, "
        "4.8 minutes in all, until the gate can decide; a run that is not valid is tried up to 5 times",
        f"would ask the 200 most frequent requests of {url} twice and of {url} once",
    ]
    assert heard.ended[0].figures["would"] == [said.removeprefix("would ") for said in heard.said]
    assert heard.ended[0].changes == 0


def test_a_replay_with_a_pilot_names_it_too(tmp_path: Path) -> None:
    more = "  pilot_rounds: 8\n  answers: {requests: 0}\n"
    heard = tried(loading(tmp_path / "site", "http://127.0.0.1:9", "http://127.0.0.1:8", more=more))
    assert len(heard.said) == 4
    assert "http://127.0.0.1:9 twice in each of 8 pilot rounds" in heard.said[1]


def test_a_broken_capture_is_refused_as_in_a_real_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"broken-line-12\.log:12"):
        tried(
            loading(
                tmp_path / "site",
                "http://127.0.0.1:9",
                "http://127.0.0.1:8",
                capture=CAPTURE.with_name("broken-line-12.log"),
            )
        )


@pytest.mark.parametrize(
    ("standing", "terminal", "said"),
    [
        (True, True, f"would record the approval of {DIGEST} by Kari Nordmann, standing in the site file"),
        (False, True, f"would ask at the prompt for name, reason, and the first 16 digits of {DIGEST}"),
        (False, False, f"would wait up to 24 h for an approval of {DIGEST} in the Prefect UI"),
    ],
)
def test_an_approval_is_not_given(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, standing: bool, terminal: bool, said: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
    text, heard = WHOLE.read_text() + QUICK + (STANDING if standing else ""), Heard()
    file = folder_with(tmp_path / "site", text)
    with opened(file, progress=heard, actor="tests", make_drivers=world.drivers) as place:
        gate_says(place)
        before = subjects(place)
        approve.fn(str(file), dry_run=True)
        assert subjects(place) == before
        assert approved_digest() is None
        assert not result_path(place.state, "approve").exists()
    assert heard.said == [said]


def test_an_approval_that_would_be_refused_is_refused(place: Workplace) -> None:
    with pytest.raises(StageRefused, match="the gate has not said go"):
        approve.fn(str(place.site_file), dry_run=True)
    assert subjects(place) == []


def test_a_judgement_leaves_the_last_decision_standing(place: Workplace, heard: Heard) -> None:
    gate_says(place)
    before = subjects(place)
    with pytest.raises(StageRefused), stage("gate", dry_run=True) as draft:
        draft.add([finding()])
        gate.decide.fn(draft)
    assert subjects(place) == before
    assert heard.said[-1].startswith("would record the decision no go, digest ")
