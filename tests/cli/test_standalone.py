"""Commands that need neither a site nor a server: replay, judge, audit; and what a stage answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flows.cli import running
from inventory.models.verdict import Verdict
from tasks.ledger import Ledger
from tests.cli.conftest import Command, untouched
from tests.gates.test_latency import rounds_of, wobbling
from tests.inventory.sites import whole
from tests.ledger.conftest import Ticking, fill
from tests.replay.conftest import Start, capture, start_server

__all__ = ["capture", "start_server"]  # fixtures


@pytest.fixture(autouse=True)
def no_prefect_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "no_server" not in request.fixturenames:

        def refuse(home: Path) -> None:
            pytest.fail("a stand-alone command starts no server")

        monkeypatch.setattr(running, "server", refuse)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    with Ledger.open(path, clock=Ticking(), actor="lead") as opened:
        fill(opened)
    return path


def rounds(folder: Path, ratio: float) -> Path:
    path = folder / "rounds.json"
    path.write_text(json.dumps({"rounds": [r.model_dump() for r in rounds_of(wobbling(ratio, 12))]}))
    return path


@pytest.mark.parametrize(
    ("ratio", "code", "verdict"), [(0.6, 0, "pass"), (1.05, 1, "inconclusive"), (1.5, 1, "fail")]
)
def test_judge_latency(command: Command, tmp_path: Path, ratio: float, code: int, verdict: str) -> None:
    file = rounds(tmp_path, ratio)
    said = command("judge", "latency", file)
    judged = json.loads(command("judge", "latency", file, "--json").out)
    assert (said.code, judged["verdict"]) == (code, verdict)
    assert said.out.startswith(f"latency: {verdict} after ")
    assert ("nothing further was done" in said.err) == (code == 1)


def test_judge_latency_shows_which_rounds_were_disturbed(command: Command, tmp_path: Path) -> None:
    file = rounds(tmp_path, 0.6)
    assert "disturbed" not in command("judge", "latency", file).out
    machine = {"machine": "oslo-2", "part": "target", "own_kernel": False, "steal": 0.07}
    reading = {"round": 2, "side": "target", "machines": [machine]}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"readings": [reading]}))
    said = command("judge", "latency", file)
    assert said.code == 0
    assert (
        "disturbed: round 2, target: oslo-2: 7.0% of the processor time stolen from the machine" in said.out
    )


def test_judge_latency_takes_margins(command: Command, tmp_path: Path) -> None:
    file = rounds(tmp_path, 1.3)
    assert command("judge", "latency", file).code == 1
    wide = [each for name in ("p50", "p95", "p99") for each in ("--margin", f"{name}=0.6")]
    assert command("judge", "latency", file, *wide).code == 0


def test_replay_against_a_server_of_this_machine(
    command: Command, tmp_path: Path, start_server: Start
) -> None:
    _, url = start_server()
    log = tmp_path / "access.log"
    log.write_text(
        "".join(
            f'203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "GET /p/{n} HTTP/1.1" 200 5 "-" "-"\n'
            for n in range(50)
        )
    )
    out = tmp_path / "out"
    said = command(
        *("replay", "run", "--capture", log, "--target", url, "--rate", 200, "--out", out, "--json")
    )
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert (result["records"], result["done"], result["errors"]) == (50, 50, 0)
    assert json.loads((out / "result.json").read_text()) == result


def test_replay_of_a_target_that_is_not_there_ends_with_3(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text('203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "GET / HTTP/1.1" 200 5 "-" "-"\n')
    out = tmp_path / "out"
    said = command(
        *("replay", "run", "--capture", log, "--target", "http://127.0.0.1:1", "--rate", 1, "--out", out)
    )
    assert said.code == 3, said.err
    assert "127.0.0.1:1" in said.err


def test_replay_of_a_stranger_is_refused(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text('203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "GET / HTTP/1.1" 200 5 "-" "-"\n')
    said = command(
        *("replay", "run", "--capture", log, "--target", "http://192.0.2.1", "--rate", 1),
        *("--out", tmp_path / "out"),
    )
    assert said.code == 2
    assert "--allow" in said.err


def test_a_whole_ledger_verifies(command: Command, ledger: Path) -> None:
    with untouched(ledger):
        said = command("audit", "verify", ledger)
        document = json.loads(command("audit", "verify", ledger, "--json").out)
    assert said.code == 0
    assert document["problems"] == []


@pytest.mark.parametrize("name", ["ledger.sqlite", "seal.note", "ledger.pub"])
def test_a_changed_byte_ends_with_4(command: Command, ledger: Path, name: str) -> None:
    content = bytearray((ledger / name).read_bytes())
    content[len(content) // 2] ^= 1
    (ledger / name).write_bytes(content)
    said = command("audit", "verify", ledger, "--json")
    assert said.code == 4
    assert json.loads(said.out)["problems"]
    for words in (("show", ledger), ("export", ledger, ledger.parent / "bundle")):
        again = command("audit", *words)
        assert (again.code, again.out) == (4, "")
        assert "does not verify" in again.err
    assert not (ledger.parent / "bundle").exists()


@pytest.mark.parametrize("words", ["verify", "show"])
def test_a_folder_that_is_no_ledger_ends_with_2(command: Command, tmp_path: Path, words: str) -> None:
    (tmp_path / "some").mkdir()
    for path in (tmp_path / "some", tmp_path / "nosuch", Path(__file__)):
        with untouched(tmp_path):
            said = command("audit", words, path)
        assert said.code == 2, said.err
        assert str(path) in said.err


def test_show_and_export(command: Command, ledger: Path, tmp_path: Path) -> None:
    lines = command("audit", "show", ledger).out.splitlines()
    entries = json.loads(command("audit", "show", ledger, "--json").out)
    assert len(lines) == len(entries) == 7
    assert "stage/move" in lines[0]
    bundle = tmp_path / "bundle"
    assert command("audit", "export", ledger, bundle).code == 0
    assert command("audit", "verify", bundle).code == 0
    assert command("audit", "export", ledger, bundle).code == 2, "it is there already"


def test_the_status_of_a_site(command: Command, tmp_path: Path) -> None:
    file = whole(tmp_path / "site")
    with untouched(tmp_path):
        said = command("status", file)
        document = json.loads(command("status", file, "--json").out)
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["survey", "not", "run"]
    assert document == {"site": "whole", "stages": [], "unfinished": []}


def test_a_refused_stage_ends_with_1_and_json_shows_its_result(
    command: Command, no_server: list[Path], tmp_path: Path
) -> None:
    file = whole(tmp_path / "site")
    said = command("approve", file, "--json", "--actor", "Kari")
    assert said.code == 1
    result = json.loads(said.out)
    assert (result["name"], result["verdict"]) == ("approve", Verdict.ERROR)
    assert "the gate has not said go" in said.err
    entries = json.loads(command("audit", "show", file.parent / "state" / "ledger", "--json").out)
    assert {entry["actor"] for entry in entries} == {"Kari"}


def test_a_refused_rollback_of_nothing_reachable_ends_with_3(
    command: Command, no_server: list[Path], tmp_path: Path
) -> None:
    file = whole(tmp_path / "site")
    text = (
        file.read_text().replace("198.18.0.11", "127.0.0.1").replace("admin_user", "port: 1\n    admin_user")
    )
    file.write_text(text)
    said = command("rollback", file, "--json")
    assert (said.code, said.out) == (3, ""), said.err
    assert "127.0.0.1:1" in said.err
    assert "--resume" in said.err


def test_a_ledger_in_use_ends_with_3(command: Command, no_server: list[Path], tmp_path: Path) -> None:
    file = whole(tmp_path / "site")
    with Ledger.open(file.parent / "state" / "ledger", clock=Ticking(), actor="somebody else"):
        said = command("approve", file)
    assert said.code == 3
    assert "another process writes to this ledger" in said.err
    shutil.rmtree(file.parent / "state")
