"""Changes become effects in order, and stop at the first that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import Change, PutFile, PutProgram, RemoveFile, Run
from inventory.models.command import Command, Shellable
from tasks.drivers.errors import CommandFailed
from tasks.operations.apply import apply, apply_all, undo


class Recorder:
    name = "oslo-1"

    def __init__(self, failing: str = "") -> None:
        self.did: list[Any] = []
        self.failing = failing

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        if self.failing and self.failing in str(command):
            raise CommandFailed(self.name, f"`{command}` ended with 1")
        self.did.append((str(command), stdin, timeout_s))
        return ""

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        self.did.append((path, content, mode))

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        self.did.append((path, source, sha256, mode))


def change(word: str, host: str = "oslo-1") -> Change:
    return Change(
        host, word, "why", "", "x", (Run(Command.of("do", word)),), (Run(Command.of("undo", word)),)
    )


def test_every_action_reaches_the_host() -> None:
    host = Recorder()
    actions = (
        Run(Command.of("a"), b"in", 5.0),
        PutFile("/f", b"c", 0o600),
        PutProgram("/p", "/lead/p", "0" * 64),
        RemoveFile("/old file"),
    )
    apply(host, Change("oslo-1", "all", "why", "", "x", actions))  # type: ignore[arg-type]  # a recorder
    assert host.did == [
        ("a", b"in", 5.0),
        ("/f", b"c", 0o600),
        ("/p", Path("/lead/p"), "0" * 64, 0o755),
        ("rm -f -- '/old file'", b"", 60.0),
    ]


def test_it_stops_at_the_first_failure_and_says_where() -> None:
    host = Recorder("two")
    begun: list[Change] = []
    ended: list[Change] = []
    changes = [change("one"), change("two"), change("three")]
    came = apply_all(host, changes, begun.append, ended.append)  # type: ignore[arg-type]  # a recorder
    assert [each.subject for each in begun] == ["one", "two"]
    assert ended == [changes[0]]
    assert came.done == (changes[0],)
    assert came.failed is changes[1]
    assert not came.ok
    assert str(came.error) == "oslo-1: two: `do two` ended with 1"


def test_all_well() -> None:
    assert apply_all(Recorder(), [change("one")]).ok  # type: ignore[arg-type]  # a recorder


def test_undo_does_what_the_change_says() -> None:
    host = Recorder()
    undo(host, change("one"))  # type: ignore[arg-type]  # a recorder
    assert host.did == [("undo one", b"", 120.0)]


@pytest.mark.parametrize("act", [apply, undo])
def test_a_change_of_another_host_is_refused(act: Any) -> None:
    host = Recorder()
    with pytest.raises(ValueError, match="a change of oslo-2 was given to oslo-1"):
        act(host, change("one", "oslo-2"))
    assert host.did == []
