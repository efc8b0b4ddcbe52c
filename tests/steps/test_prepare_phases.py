"""How the phases of `prepare` follow each other where a host fails, on hosts that are this machine."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from inventory.models.change import Change, Run
from inventory.models.command import Command
from tasks.drivers.errors import CommandFailed
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations.node import Phase
from tasks.steps import prepare
from tasks.steps.failed_hosts import FIGURE
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace
from tests.move.local import LocalHost
from tests.steps.conftest import Heard

QUESTION = Asked("nothing", Command.of("true"), str)


class Named(LocalHost):
    def __init__(self, name: str) -> None:
        self.name = name


def phase(name: str, ran: list[str], failing: str = "", *, needs_first: bool = False) -> Phase:
    """Runs `true` on every host, `false` on the failing one."""

    def plan(_: Any, facts: Mapping[str, Facts]) -> list[Change]:
        ran.extend(f"{name} {host}" for host in facts)
        return [
            Change(host, name, "", "", "x", (Run(Command.of("false" if host == failing else "true")),))
            for host in facts
        ]

    def nodes(preparation: Any) -> Any:
        return preparation.site.target.nodes

    return Phase(name, name, nodes, lambda _, __: (QUESTION,), plan, needs_first)


@pytest.fixture
def run(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> Any:
    nodes = place.site.target.nodes
    place.drivers.own_hosts.update({node.name: Named(node.name) for node in nodes})  # type: ignore[attr-defined]
    preparation = SimpleNamespace(site=place.site, planes=nodes[:1])
    monkeypatch.setattr(prepare, "open_preparation", lambda *_: preparation)
    monkeypatch.setattr(prepare, "keep_kubeconfig", lambda *_: 1)

    def runs(*phases: Phase) -> Draft:
        monkeypatch.setattr(prepare, "PHASES", phases)
        draft = Draft()
        prepare.prepare_nodes.fn(draft, dry_run=False)
        return draft

    return runs


def test_the_phases_go_on_without_the_host_that_failed(run: Any) -> None:
    ran: list[str] = []
    with pytest.raises(CommandFailed, match=r"oslo-2: files: .*ended with 1"):
        run(phase("files", ran, "oslo-2"), phase("init", ran), phase("join", ran, needs_first=True))
    assert ran == [
        *("files oslo-1", "files oslo-2", "files oslo-3"),
        *("init oslo-1", "init oslo-3", "join oslo-1", "join oslo-3"),
    ]


def test_nobody_joins_a_control_plane_that_failed(run: Any, heard: Heard) -> None:
    ran: list[str] = []
    with pytest.raises(CommandFailed, match="oslo-1: init"):
        run(phase("init", ran, "oslo-1"), phase("join", ran, needs_first=True), phase("last", ran))
    assert [each for each in ran if each.startswith("join")] == []
    assert ran[3:] == ["last oslo-2", "last oslo-3"]
    assert "join is left out: oslo-1 failed, and the others need it" in heard.said


def test_all_well(run: Any) -> None:
    draft = run(phase("files", []), phase("join", [], needs_first=True))
    assert FIGURE not in draft.figures
    assert draft.changes == 7, "three hosts, two phases, and the kubeconfig"
