"""`run SITE`: the closing table and the JSON document, also of an exit that a stage has stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import flows.exit
from tasks.drivers.errors import ServiceFailed
from tasks.steps.stage import stage
from tests.cli.conftest import Command
from tests.inventory.sites import whole
from tests.steps.conftest import finding

Script = dict[str, Any]  # stage -> its verdict, or an exception to raise


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, no_server: list[Path]) -> Script:
    """What each stage of the exit says, in order; the frame that records it is the real one."""
    says: Script = {"survey": "pass", "plan": "warn"}

    def exit_flow(site: str, *, resume: bool, dry_run: bool, until: str) -> list[Any]:
        results = []
        for name, said in says.items():
            with stage(name, dry_run=dry_run) as draft:
                if isinstance(said, BaseException):
                    raise said
                draft.add([finding(verdict=said)])
            results.append(draft.result)
        return results

    monkeypatch.setattr(flows.exit, "exit_flow", exit_flow)
    return says


def rows(said: str) -> list[tuple[str, str]]:
    """The closing table: stage and verdict."""
    table = said[said.index("stage ") :].splitlines()[1:]
    return [(words[0], " ".join(words[1:-3])) for line in table if len(words := line.split()) >= 5]


def test_a_whole_run_ends_with_its_table(command: Command, script: Script, tmp_path: Path) -> None:
    said = command("run", whole(tmp_path / "site"), "--until", "plan")
    assert (said.code, said.out) == (0, "")
    assert rows(said.err) == [("survey", "pass"), ("plan", "warn")]


def test_a_refused_run_too(command: Command, script: Script, tmp_path: Path) -> None:
    script["prepare"] = "fail"
    file = whole(tmp_path / "site")
    said = command("run", file, "--until", "prepare")
    assert said.code == 1
    assert rows(said.err)[:3] == [("survey", "pass"), ("plan", "warn"), ("prepare", "FAIL")]
    document = json.loads(command("run", file, "--until", "prepare", "--json").out)
    assert [each["name"] for each in document] == ["survey", "plan", "prepare"]


def test_an_outside_failure_too(command: Command, script: Script, tmp_path: Path) -> None:
    script["prepare"] = ServiceFailed("oslo-1", "is gone")
    said = command("run", whole(tmp_path / "site"), "--until", "prepare")
    assert said.code == 3
    assert rows(said.err)[:3] == [("survey", "pass"), ("plan", "warn"), ("prepare", "ERROR")]
    assert said.err.endswith("oslo-1: is gone\n  the state is kept; `--resume` goes on from here\n")


@pytest.mark.parametrize("stopping", ["prepare", "provision"])
def test_a_resumed_run_shows_what_it_skipped(
    command: Command, script: Script, tmp_path: Path, stopping: str
) -> None:
    """Also where machines are made: that stage is none of every exit."""
    file = whole(tmp_path / "site")
    assert command("run", file, "--until", "plan").code == 0
    script.clear()
    script[stopping] = "fail"
    said = command("run", file, "--resume", "--until", "prepare", "--json")
    assert said.code == 1
    assert [each["name"] for each in json.loads(said.out)] == ["survey", "plan", stopping]
