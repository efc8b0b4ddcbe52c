"""The replay's pilot: the source against itself plans the rounds, or ends the stage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inventory.models.replay import Replay
from inventory.models.verdict import Verdict
from tasks.replay.rounds import Campaign
from tasks.steps import replay as step
from tasks.steps.stage import StageRefused, stage
from tasks.steps.workplace import opened
from tests.gates.test_latency_campaign import campaign, simulated
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import Heard
from tests.steps.fakes import World
from tests.steps.test_round_readings import Node

PILOT = "  capture: plain\n  pilot_rounds: 6\n  rounds: 24\n  answers: {requests: 0}\n"


def replayed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, halves: float
) -> tuple[list[dict[str, str]], Path]:
    """Runs the stage, the source being `halves` times itself; what was compared, and the state's folder."""
    compared: list[dict[str, str]] = []

    def campaign_of(rules: Replay, urls: dict[str, str], out_dir: Path, **_: Any) -> Campaign:
        compared.append(urls)
        mine = campaign(simulated(halves if urls["source"] == urls["target"] else 0.6))
        mine.planned = rules.rounds
        mine.endpoints = {side: replace(mine.endpoints[side], url=urls[side]) for side in urls}
        return mine

    monkeypatch.setattr(step, "campaign_of", campaign_of)
    file = folder_with(folder, WHOLE.read_text().replace("  capture: plain\n", PILOT))
    world, heard = World(), Heard()

    def drivers(site: Any) -> Any:
        made = world.drivers(site)
        made.own_hosts = {node.name: Node(node.name) for node in site.target.nodes}
        return made

    with opened(file, progress=heard, actor="tests", make_drivers=drivers) as place:
        with stage("replay") as draft:
            step.replay_rounds.fn(draft)
        loads = {each.subject: each for each in draft.findings if each.code == "RPL-LOAD"}
        assert set(loads) == {"source nodes", "oslo-1", "oslo-2", "oslo-3", "this machine"}
        assert "the cluster names no node" in loads["source nodes"].observed
        assert "no run of `replay run` is here" in draft.figures["page_error"]  # the runs are made up
        assert not (place.state / "replay.html").exists()
        assert draft.figures["pilot"]["planned_rounds"] == 12
        assert "pilot: 12 rounds for 90 % power; 12 are planned (replay.rounds)" in heard.said
        return compared, place.state


def test_the_pilot_plans_the_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, state = replayed(tmp_path / "site", monkeypatch, 1.0)
    assert [urls["source"] == urls["target"] for urls in compared] == [False, True]
    rounds = json.loads((state / "rounds.json").read_text())
    assert rounds["planned_rounds"] == 12
    assert [(each["round"], each["side"]) for each in rounds["readings"][:2]] == [
        (1, side) for side in rounds["order"][0]
    ]
    assert len({row["round"] for row in json.loads((state / "pilot.json").read_text())["rounds"]}) == 6


def test_a_source_that_differs_from_itself_ends_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StageRefused, match="the side differs from itself") as refused:
        replayed(tmp_path / "site", monkeypatch, 1.3)
    assert refused.value.result.verdict is Verdict.INCONCLUSIVE
