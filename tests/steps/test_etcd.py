"""The restore's way back: where one member does not come up, all of them get their old data again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.models.command import Shellable
from inventory.models.verdict import Verdict
from tasks.drivers.errors import CommandFailed, OutsideError
from tasks.drivers.ports import Output
from tasks.steps import etcd
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import subjects

NAMES = ("oslo-1", "oslo-2", "oslo-3")
STOP_API, BACK = "kube-apiserver.yaml", 'rm -rf -- "$1"; mv -T'
STOP, SWAP, START = "systemctl stop etcd", 'mv -T -- "$2" "$1"', "systemctl start etcd"


class Host:
    """Notes what it is told, in a list of its own and in one of all; refuses once what `refused` names."""

    def __init__(self, name: str, refused: str = "", heard: list[str] | None = None) -> None:
        self.name, self.refused = name, refused
        self.told: list[str] = []
        self.heard = [] if heard is None else heard
        self.received = b""

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        return Output(0, self.check(command, stdin=stdin), "", 0.0)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        text = command.render()
        self.told.append(text)
        self.heard.append(text)
        if self.refused and self.refused in text:
            self.refused = ""
            raise CommandFailed(self.name, "etcd does not start")
        if "cat >>" in text:
            self.received += stdin
        if "sha256sum" in text:
            return f"{hashlib.sha256(self.received).hexdigest()}  sent.db\n"
        return ""

    def lock(self, holder: str) -> None:
        """Nobody else is here."""

    def has_been_told(self, words: str) -> bool:
        return any(words in text for text in self.told)


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """Three control planes."""
    text = WHOLE.read_text()
    for number in (2, 3):
        plain = f"{{name: oslo-{number}, address: 10.60.0.1{number}}}"
        assert plain in text
        text = text.replace(plain, plain.replace("}", ", roles: [control-plane]}"))
    return folder_with(tmp_path / "site", text)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "saved.db"
    database = b"x" * 1024
    path.write_bytes(database + hashlib.sha256(database).digest())
    path.chmod(0o600)
    return path


def hosts_of(place: Workplace, monkeypatch: pytest.MonkeyPatch, **refused: str) -> dict[str, Host]:
    heard: list[str] = []
    hosts = {name: Host(name, refused.get(name.replace("-", "_"), ""), heard) for name in NAMES}
    drivers: Any = place.drivers
    monkeypatch.setattr(drivers, "hosts", lambda: hosts, raising=False)
    monkeypatch.setattr(drivers, "host", hosts.__getitem__, raising=False)
    return hosts


def test_one_member_that_does_not_start_gives_all_their_old_data_back(
    place: Workplace, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = hosts_of(place, monkeypatch, oslo_2=START)
    with pytest.raises(OutsideError, match="etcd does not start"):
        etcd.restore.fn(Draft(), snapshot)
    for host in hosts.values():
        assert host.received == snapshot.read_bytes()
        assert host.has_been_told(BACK)
        assert host.told[-1].count(STOP_API) and '"$2" "$1"' in host.told[-1]  # the API server starts again
    assert subjects(place, "etcd/put-back") == ["intent etcd/put-back", "outcome etcd/put-back"]


def turns(heard: list[str]) -> list[str]:
    """What the members were told, in turn: the same thing said to several of them is one turn."""
    kinds = {BACK: "back", SWAP: "swap", STOP: "stop", START: "start"}
    said = [next((kind for words, kind in kinds.items() if words in text), "") for text in heard]
    found = [kind for kind in said if kind]
    return [kind for before, kind in zip(["", *found], found, strict=False) if kind != before]


def test_a_member_of_the_old_data_never_meets_one_of_the_new(
    place: Workplace, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the same names and ids: on the site one of three ended with a commit it had never seen."""
    hosts = hosts_of(place, monkeypatch, oslo_2=START)
    with pytest.raises(OutsideError):
        etcd.restore.fn(Draft(), snapshot)
    heard = hosts["oslo-1"].heard
    assert turns(heard) == ["stop", "swap", "start", "stop", "back", "start"]
    assert sum(STOP in text for text in heard) == sum(BACK in text for text in heard) + 3 == 6


def test_nothing_is_stopped_where_the_new_data_cannot_be_made(
    place: Workplace, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = hosts_of(place, monkeypatch, oslo_3="etcdutl")
    with pytest.raises(OutsideError):
        etcd.restore.fn(Draft(), snapshot)
    assert not any(host.has_been_told(SWAP) or host.has_been_told(STOP_API) for host in hosts.values())


def test_a_snapshot_of_nobodys_is_told(place: Workplace, snapshot: Path) -> None:
    draft = Draft()
    etcd.judge_snapshot.fn(draft, snapshot)
    assert [(each.code, each.verdict) for each in draft.findings] == [("ETC-SNAPSHOT", Verdict.WARN)]
    digest = hashlib.sha256(snapshot.read_bytes()).hexdigest()
    with place.ledger.effect(etcd.SUBJECT, {}) as effect:
        effect.outcome = {"sha256": digest}
    draft = Draft()
    etcd.judge_snapshot.fn(draft, snapshot)
    assert draft.findings[0].verdict is Verdict.PASS


def test_a_backup_over_a_file_is_refused_before_a_host_is_asked(
    place: Workplace, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = hosts_of(place, monkeypatch)
    with pytest.raises(BadInput, match="is there already"):
        etcd.save.fn(Draft(), snapshot)
    assert not any(host.told for host in hosts.values())
