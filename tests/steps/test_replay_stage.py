"""The whole stage against two real servers: rounds with readings, and the page of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inventory.models.verdict import Verdict
from tasks.drivers.local_program import HERE
from tasks.gates.rounds_file import read_rounds
from tasks.replay.rounds import SIDES
from tasks.steps import replay as step
from tasks.steps.replay_page import PAGE
from tasks.steps.stage import stage
from tasks.steps.workplace import opened
from tests.inventory.sites import WHOLE, folder_with
from tests.replay.conftest import Start, start_server
from tests.report.test_page import read
from tests.steps.conftest import Heard
from tests.steps.fakes import World
from tests.steps.test_round_readings import Node

__all__ = ["start_server"]  # a fixture

RULES = (
    "  capture: plain\n  rounds: 3\n  requests_per_round: 200\n  rate_rps: 400\n  connections: 256\n"
    "  answers: {requests: 2}\n"
)
LINE = '203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "GET /product/{n} HTTP/1.1" 200 5 "-" "-"\n'


@pytest.mark.slow
def test_a_replay_leaves_rounds_readings_and_a_page(tmp_path: Path, start_server: Start) -> None:
    (_, source), (_, target) = start_server("a"), start_server("a")
    text = WHOLE.read_text().replace("  capture: plain\n", RULES)
    text = text.replace('url: "http://198.18.0.10"', f'url: "{source}"')
    file = folder_with(tmp_path / "site", text.replace('url: "http://10.60.0.11"', f'url: "{target}"'))
    (file.parent / "plain").write_text("".join(LINE.format(n=n % 7) for n in range(300)))
    world, heard = World(), Heard()

    def drivers(site: Any) -> Any:
        made = world.drivers(site)
        made.own_hosts = {node.name: Node(node.name) for node in site.target.nodes}
        return made

    with opened(file, progress=heard, actor="tests", make_drivers=drivers) as place:
        (place.state / PAGE).write_text("an older replay's")
        with stage("replay") as draft:
            step.replay_rounds.fn(draft)
        state = place.state
    assert draft.result.verdict is Verdict.WARN  # the source's nodes could not be read
    rounds = read_rounds(state / "rounds.json")
    kept = [reading for reading in rounds.readings if reading.valid]
    assert {(each.round, each.side) for each in kept} == {(n, side) for n in (1, 2, 3) for side in SIDES}
    assert {machine.machine for each in kept for machine in each.machines if each.side == "target"} == {
        *("oslo-1", "oslo-2", "oslo-3", HERE)
    }
    (here,) = (machine for machine in kept[0].machines if machine.machine == HERE)
    assert here.tcp_sent is not None
    assert here.tcp_sent >= 200  # one segment a request at least
    assert draft.figures["readings"] == json.loads((state / "rounds.json").read_text())["readings"]
    assert draft.figures["page"] == PAGE
    page = read((state / PAGE).read_text())
    for side, url in (("source", source), ("target", target)):
        assert f"{side}: {url}" in page.text
    assert page.text.count("600 records = 600 done + 0 errors + 0 skipped + 0 unsent") == 2
    assert "3 rounds, shown end to end" in page.text
