"""The undo of a preparation: from each host's record, once, and not under pods."""

from __future__ import annotations

import copy
import shlex
from dataclasses import dataclass, field

import pytest

from inventory.models.change import PutFile, RemoveFile, Run
from inventory.models.command import Command, Script, Shellable
from inventory.models.verdict import Verdict
from tasks.drivers.ports import Output
from tasks.facts import before, units
from tasks.facts.modules import State
from tasks.operations.settings import undo_asked
from tasks.steps import unprepare
from tasks.steps.stage import Draft, StageRefused, result_path, stage
from tasks.steps.workplace import Workplace
from tests.operations.machine import Machine, prepare
from tests.operations.places import preparation
from tests.steps.conftest import Heard

READY = preparation()
KUBELET = units.ask(("kubelet.service",))


@dataclass
class MachineHost:
    """A machine in memory behind the port of a host."""

    name: str
    machine: Machine = field(default_factory=Machine)
    kubelet: bool = False

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        assert isinstance(command, Script)
        marker, *questions = (str(word) for word in command.arguments)
        if questions[0].isdecimal() or questions[0] == "-":
            self._act_all(questions, stdin)
            return Output(0, f"{marker} done {len(questions) // 2}\n", "", 0.0)
        record = before.ask()
        _, known = self.machine.facts([record]).of(record)
        asked = {each.command.render(): each for each in (record, *undo_asked(known))}
        text = ""
        for number, question in enumerate(questions):
            if question == KUBELET.command.render():
                answer = (
                    "Id=kubelet.service\nLoadState=loaded\nSubState=x\nUnitFileState=x\nNeedDaemonReload=no\n"
                    f"ActiveState={'active' if self.kubelet else 'inactive'}\n"
                )
            else:
                answer = self.machine.facts([asked[question]]).answers[question]
            text += f"\n{marker} begin {number}\n{answer}\n{marker} end {number} 0\n"
        return Output(0, text, "", 0.0)

    def _act_all(self, words: list[str], stdin: bytes) -> None:
        """The actions of a batch: each the length of its input, and its command."""
        for own, text in zip(words[::2], words[1::2], strict=True):
            parts = shlex.split(text)
            if own != "-":
                self.machine.act(PutFile(parts[4], stdin[: int(own)], int(parts[5], 8)))
                stdin = stdin[int(own) :]
            elif parts[0] == "rm":
                self.machine.act(RemoveFile(parts[-1]))
            else:  # timeout -k 2 120.000 ...
                inner = shlex.split(parts[6]) if parts[4:6] == ["sh", "-c"] else parts[4:]
                script = inner[:2] == ["sh", "-c"]
                self.machine.act(Run(Script.of(inner[2], *inner[4:]) if script else Command.of(*inner)))

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        match command:
            case Command(("true",)):
                return ""
            case Command(("rm", "-f", "--", path)):
                self.machine.act(RemoveFile(str(path)))
            case _:
                self.machine.act(Run(command))
        return ""

    def lock(self, holder: str) -> None:
        """Nobody else is there."""

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        self.machine.act(PutFile(path, content, mode))


Hosts = dict[str, MachineHost]


@pytest.fixture
def hosts(place: Workplace) -> Hosts:
    made = {node.name: MachineHost(node.name) for node in place.site.target.nodes}
    for host in made.values():
        host.machine.modules = dict.fromkeys(READY.profile.modules, State.PRESENT)
        host.machine.sysctls = dict.fromkeys(READY.profile.keys, ("0", True))
        host.machine.folders = {"/etc"}
    place.drivers.own_hosts.update(made)  # type: ignore[attr-defined]  # the fake's own
    return made


def undo(*, dry_run: bool = False) -> Draft:
    with stage("unprepare", dry_run=dry_run) as draft:
        records = unprepare.read_records.fn(draft)
        if draft.concluded().lets_go_on:
            unprepare.restore_settings.fn(draft, records, dry_run=dry_run)
    return draft


def prepared(hosts: Hosts) -> dict[str, object]:
    """What the hosts had before they were prepared."""
    before = {name: copy.deepcopy(host.machine.seen()) for name, host in hosts.items()}
    for host in hosts.values():
        assert prepare(host.machine, READY, READY.site.target.nodes[0])
    return before


def test_all_hosts_go_back_and_a_second_undo_does_nothing(place: Workplace, hosts: Hosts) -> None:
    had = prepared(hosts)
    done = result_path(place.state, "prepare")
    done.parent.mkdir(parents=True)
    done.write_text("{}")
    assert undo().changes > 0
    assert {name: host.machine.seen() for name, host in hosts.items()} == had
    assert not done.exists()
    assert undo().changes == 0
    assert undo().result.verdict is Verdict.PASS


def test_a_dry_run_shows_the_way_back_and_goes_nowhere(hosts: Hosts, heard: Heard) -> None:
    prepared(hosts)
    has = {name: copy.deepcopy(host.machine) for name, host in hosts.items()}
    draft = undo(dry_run=True)
    assert {name: host.machine for name, host in hosts.items()} == has
    assert "-1\n+0" in draft.result.figures["diff"]["oslo-1"]
    assert heard.said[0].startswith("oslo-1: ")


def test_a_node_with_pods_is_refused_and_none_is_touched(hosts: Hosts, heard: Heard) -> None:
    prepared(hosts)
    has = {name: copy.deepcopy(host.machine) for name, host in hosts.items()}
    hosts["oslo-2"].kubelet = True
    with pytest.raises(StageRefused, match="TUN-UNDO oslo-2: its kubelet runs"):
        undo()
    assert {name: host.machine for name, host in hosts.items()} == has


def test_a_host_that_was_never_prepared_has_nothing_to_undo(hosts: Hosts) -> None:
    hosts["oslo-1"].kubelet = True  # a node of somebody's cluster, not ours
    assert undo().changes == 0
