"""Facts, plan and changes on many hosts at once, on hosts that are folders of this machine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import Change, PutFile
from inventory.models.command import Command, Shellable
from tasks.drivers.errors import CommandFailed, HostUnreachable, OutsideError
from tasks.drivers.ports import Output
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.gather import Facts
from tasks.steps.failed_hosts import FIGURE, FailedHosts
from tasks.steps.hosts import bring_about
from tasks.steps.stage import Draft, stage
from tasks.steps.workplace import Workplace
from tests.move.local import LocalHost
from tests.steps.conftest import Heard, subjects

HOSTS = ("oslo-1", "oslo-2", "oslo-3")
FILES = ("motd", "issue")


class FolderHost(LocalHost):
    """Runs the real commands here; its files lie in a folder. `broken` names what cannot be written there."""

    def __init__(self, name: str, folder: Path, met: threading.Barrier | None = None) -> None:
        self.name = name
        self.folder, self.met = folder, met
        self._broken: str | None = None
        self.reached = True
        folder.mkdir()
        self.intents_seen: list[int] = []
        self.holders: list[str] = []
        self.asked_unlocked = 0
        self.count_intents: Any = None

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        if not self.reached:
            raise HostUnreachable(self.name, "no route to it")
        self.asked_unlocked += not self.holders
        self.intents_seen.append(self.count_intents(self.name))
        if self.met:
            self.met.wait(5)
        return super().run(command, stdin=stdin, timeout_s=timeout_s)

    def lock(self, holder: str) -> None:
        self.holders.append(holder)

    @property
    def broken(self) -> str | None:
        return self._broken

    @broken.setter
    def broken(self, name: str | None) -> None:
        if self._broken:
            (self.folder / self._broken).unlink()
        if name:
            (self.folder / name).write_text("a file where a folder should be")
        self._broken = name

    def greeting(self, name: str) -> Path:
        return self.folder / name / "text"


Hosts = dict[str, FolderHost]


@pytest.fixture
def hosts(place: Workplace, tmp_path: Path) -> Hosts:
    made = {name: FolderHost(name, tmp_path / name) for name in HOSTS}

    def intents(name: str) -> int:
        return sum(entry.subject == f"host/{name}/greeting" for entry in place.ledger.open_intents())

    for host in made.values():
        host.count_intents = intents
    place.drivers.own_hosts.update(made)  # type: ignore[attr-defined]  # the fake's own
    return made


def asked(host: FolderHost, name: str) -> Asked[str]:
    path = host.greeting(name)
    return Asked(name, Command.of("sh", "-c", f"test ! -e {path} || cat {path}"), str.strip)


def bring(hosts: Hosts, draft: Draft, *, dry_run: bool = False, failed: FailedHosts | None = None) -> int:
    questions = {name: [asked(host, file) for file in FILES] for name, host in hosts.items()}

    def plan(facts: Mapping[str, Facts]) -> list[Change]:
        return [
            Change(
                host=name,
                subject=f"file {file}",
                why="people shall be greeted",
                before=facts[name].of(question),
                after="hello",
                apply=(PutFile(str(hosts[name].greeting(file)), b"hello\n"),),
            )
            for name in facts
            for file, question in zip(FILES, questions[name], strict=True)
            if facts[name].of(question) != "hello"
        ]

    return bring_about(draft, "greeting", questions, plan, dry_run=dry_run, failed=failed)


def test_every_change_is_made_once_with_an_intent_before_it(place: Workplace, hosts: Hosts) -> None:
    draft = Draft()
    assert bring(hosts, draft) == 6
    assert draft.changes == 6
    assert {host.greeting("motd").read_text() for host in hosts.values()} == {"hello\n"}
    assert [host.intents_seen for host in hosts.values()] == [[0, 1]] * 3, (
        "asked before any intent, changed after it"
    )
    assert place.ledger.open_intents() == []
    for name in HOSTS:
        (intent,) = place.ledger.entries("intent", f"host/{name}/greeting")
        (outcome,) = place.ledger.entries("outcome", f"host/{name}/greeting")
        assert [each["subject"] for each in intent.body["changes"]] == ["file motd", "file issue"]
        assert outcome.body["applied"] == ["file motd", "file issue"]

    again = Draft()
    entries = len(place.ledger.entries())
    assert bring(hosts, again) == 0
    assert again.changes == 0
    assert again.figures["changes_by_phase"] == {"greeting": 0}
    assert len(place.ledger.entries()) == entries, "nothing was done, so nothing is recorded"


def test_a_dry_run_shows_a_diff_for_each_host_and_changes_nothing(
    place: Workplace, hosts: Hosts, heard: Heard
) -> None:
    with stage("prepare", dry_run=True) as draft:
        assert bring(hosts, draft, dry_run=True) == 6
    assert [said.partition("\n")[0] for said in heard.said] == [f"{name}: 2 changes" for name in HOSTS]
    assert draft.result.figures["diff"]["oslo-1"].splitlines()[:5] == [
        "# motd: people shall be greeted",
        "--- /dev/null",
        "+++ oslo-1:motd",
        "@@ -0,0 +1 @@",
        "+hello",
    ]
    assert not any(list(host.folder.iterdir()) for host in hosts.values())
    assert place.ledger.entries() == []


def test_hosts_are_asked_and_changed_at_once(place: Workplace, hosts: Hosts) -> None:
    barrier = threading.Barrier(3)  # broken after 5 s unless all three hosts are at it together
    for host in hosts.values():
        host.met = barrier
    assert bring(hosts, Draft()) == 6


def test_one_host_fails_and_the_others_go_on(place: Workplace, hosts: Hosts) -> None:
    hosts["oslo-2"].broken = "issue"
    draft = Draft()
    with pytest.raises(CommandFailed, match=r"oslo-2: file issue: .*issue/text cannot be written"):
        bring(hosts, draft)
    assert hosts["oslo-3"].greeting("issue").exists()
    (failed,) = place.ledger.entries("outcome", "host/oslo-2/greeting")
    assert (failed.body["done"], failed.body["applied"]) == (False, ["file motd"])
    assert place.ledger.entries("outcome", "host/oslo-1/greeting")[0].body["done"]
    assert draft.changes == 5, "what was changed counts, though the phase failed"

    hosts["oslo-2"].broken = None
    again = Draft()
    assert bring(hosts, again) == 1, "what is done is not done twice"


def test_every_host_that_fails_is_named(place: Workplace, hosts: Hosts) -> None:
    hosts["oslo-1"].broken, hosts["oslo-3"].broken = "motd", "issue"
    with pytest.raises(
        OutsideError, match=r"failed on 2 of 3 hosts.*oslo-1: .*cannot be.*oslo-3: .*cannot be"
    ) as error:
        bring(hosts, Draft())
    assert error.value.part == "oslo-1, oslo-3"


def test_hosts_that_cannot_be_asked_are_all_named_and_nothing_is_changed(
    place: Workplace, hosts: Hosts
) -> None:
    hosts["oslo-1"].reached = hosts["oslo-3"].reached = False
    with pytest.raises(OutsideError, match=r"oslo-1: no route.*oslo-3: no route"):
        bring(hosts, Draft())
    assert not list(hosts["oslo-2"].folder.iterdir())
    hosts["oslo-1"].reached = True
    with pytest.raises(HostUnreachable, match="oslo-3: no route"):
        bring(hosts, Draft())
    assert place.ledger.entries() == []


def test_the_entries_name_host_and_phase(place: Workplace, hosts: Hosts) -> None:
    bring({"oslo-2": hosts["oslo-2"]}, Draft())
    assert subjects(place) == ["intent host/oslo-2/greeting", "outcome host/oslo-2/greeting"]


def test_a_host_that_failed_is_left_alone_and_the_others_go_on(
    place: Workplace, hosts: Hosts, heard: Heard
) -> None:
    draft = Draft()
    failed = FailedHosts(draft)
    hosts["oslo-1"].reached = False
    hosts["oslo-2"].broken = "issue"
    assert bring(hosts, draft, failed=failed) == 4
    assert hosts["oslo-3"].greeting("issue").exists()
    assert [name for name in HOSTS if name in failed] == ["oslo-1", "oslo-2"]
    assert draft.figures[FIGURE]["oslo-1"] == {"phase": "greeting", "why": "oslo-1: no route to it"}
    assert "cannot be written" in draft.figures[FIGURE]["oslo-2"]["why"]
    assert any("oslo-1: no route to it; the other hosts go on" in line for line in heard.said)

    hosts["oslo-1"].reached, hosts["oslo-2"].broken = True, None
    assert bring(hosts, draft, failed=failed) == 0, "a host that failed is not touched again in this run"
    with pytest.raises(OutsideError, match=r"the stage failed on 2 of 3 hosts: oslo-1: .*; oslo-2: .*again"):
        failed.refuse(len(hosts))

    again = Draft()
    healed = FailedHosts(again)
    assert bring(hosts, again, failed=healed) == 3, "the run after it does what is left, and no more"
    healed.refuse(len(hosts))
    assert FIGURE not in again.figures


def test_a_host_whose_answer_makes_no_sense_fails_alone(place: Workplace, hosts: Hosts) -> None:
    def number(text: str) -> int:
        return int(text or "0")

    (hosts["oslo-2"].folder / "number").write_text("\x1b[2Jseven")
    questions = {
        name: [Asked("the number", Command.of("sh", "-c", f"cat {host.folder}/number || true"), number)]
        for name, host in hosts.items()
    }
    seen: list[str] = []

    def plan(facts: Mapping[str, Facts]) -> list[Change]:
        for name in facts:
            facts[name].of(questions[name][0])
        seen.extend(facts)
        return []

    failed = FailedHosts(Draft())
    assert bring_about(Draft(), "counting", questions, plan, dry_run=False, failed=failed) == 0
    assert seen == ["oslo-1", "oslo-3"]
    with pytest.raises(FactUnreadable, match="oslo-2: the number cannot be understood") as caught:
        failed.refuse(len(hosts))
    assert "\x1b" not in str(caught.value)


def test_a_host_is_locked_before_it_is_asked_and_only_where_it_may_be_changed(
    place: Workplace, hosts: Hosts
) -> None:
    bring(hosts, Draft(), dry_run=True)
    assert [host.holders for host in hosts.values()] == [[], [], []]
    for host in hosts.values():
        host.asked_unlocked = 0
    bring(hosts, Draft())
    for host in hosts.values():
        assert host.holders == [f"{place.actor} on {socket.gethostname()}, process {os.getpid()}, site whole"]
        assert host.asked_unlocked == 0


def test_the_hosts_are_free_again_after_a_stage_however_it_ended(place: Workplace) -> None:
    with stage("prepare"):
        assert place.drivers.unlocked == 0  # type: ignore[attr-defined]  # the fake's own
    with pytest.raises(OSError, match="broken"), stage("prepare"):
        raise OSError("broken")
    assert place.drivers.unlocked == 2  # type: ignore[attr-defined]  # the fake's own
