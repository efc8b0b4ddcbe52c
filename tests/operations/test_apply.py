"""Changes become effects in order, and stop at the first that fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.models.change import Action, Change, PutFile, PutProgram, RemoveFile, Run
from inventory.models.command import Command, Script, Shellable
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Output
from tasks.operations.apply import apply, apply_all, undo
from tasks.operations.batch import batches, compose, marker
from tests.move.local import LocalHost


class Recorder:
    name = "oslo-1"

    def __init__(self) -> None:
        self.did: list[Any] = []

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
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


class Here(LocalHost):
    """This machine, under another name; counts what it is asked to run."""

    name = "oslo-1"

    def __init__(self) -> None:
        self.runs = 0

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        self.runs += 1
        return super().run(command, stdin=stdin, timeout_s=timeout_s)


def doing(subject: str, *actions: Action) -> Change:
    return Change("oslo-1", subject, "why", "", "x", actions)


def shell(text: str, *words: str, timeout_s: float = 30.0) -> Run:
    return Run(Script.of(text, *words), timeout_s=timeout_s)


def test_many_changes_are_one_round_trip_in_their_order(tmp_path: Path) -> None:
    host, log = Here(), str(tmp_path / "log")
    told: list[int] = []
    secret = os.urandom(20_000)
    came = apply_all(
        host,
        [
            doing(
                "one", shell('echo one >> "$1"; cat', log), PutFile(str(tmp_path / "a/key"), secret, 0o600)
            ),
            doing("nothing"),
            doing("empty", PutFile(str(tmp_path / "empty"), b"")),
            doing("two", Run(Command.of("tee", "-a", log) | Command.of("cat")), RemoveFile(log + ".old")),
            doing("three", shell('cat "$2" >> "$1"; echo three >> "$1"', log, str(tmp_path / "a/key"))),
        ],
        lambda done: told.append(len(done)),
    )
    assert came.ok and came.error is None, came.error
    assert (host.runs, len(came.done), told) == (1, 5, [5])
    assert (tmp_path / "log").read_bytes() == b"one\n" + secret + b"three\n"
    assert (tmp_path / "a/key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "empty").read_bytes() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty", "log"]


def test_it_stops_at_the_first_failure_and_says_where(tmp_path: Path) -> None:
    host, told = Here(), []
    changes = [
        doing("one", shell("echo all is well >&2")),
        doing("two", shell("true"), shell("printf '\\033[31mno space\\033[0m\\n' >&2; exit 3", "a b")),
        doing("three", PutFile(str(tmp_path / "three"), b"x")),
    ]
    came = apply_all(host, changes, lambda done: told.append([change.subject for change in done]))
    assert (came.done, came.failed, told) == ((changes[0],), changes[1], [["one"]])
    assert isinstance(came.error, CommandFailed)
    assert str(came.error).startswith("oslo-1: two: `sh -c ")
    assert str(came.error).endswith("ended with 3: no space")
    assert not (tmp_path / "three").exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    came = apply_all(
        Here(), [doing("one", shell("true")), doing("two", PutFile(str(tmp_path / "file/x"), b"x" * 999_999))]
    )
    assert came.failed is not None and came.failed.subject == "two"
    assert f"oslo-1: two: {tmp_path}/file/x cannot be written: mkdir:" in str(came.error)


def test_a_command_that_hangs_is_stopped_and_named(tmp_path: Path) -> None:
    hanging = [doing("one", shell("true")), doing("two", shell("sleep 60", timeout_s=0.5)), doing("three")]
    came = apply_all(Here(), hanging)
    assert [change.subject for change in came.done] == ["one"]
    assert "oslo-1: two: `sh -c 'sleep 60' sh` did not end within 0.5 s and was stopped" in str(came.error)


def test_what_a_command_prints_passes_for_nothing(tmp_path: Path) -> None:
    liar = doing("two", shell(f"echo '{marker((shell('true'),))} done 9'; echo '@@ done 3' >&2; exit 1"))
    came = apply_all(Here(), [doing("one", shell("true")), liar, doing("three", shell("true"))])
    assert (len(came.done), came.failed) == (1, liar)


class Killed(Here):
    """Its shell is killed in the middle."""

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        return Output(137, "", "\n@@ 0\nKilled\n", 1.0)


def test_a_script_that_does_not_get_to_its_end_has_done_nothing_for_certain() -> None:
    changes = [doing("one", shell("true")), doing("two", shell("true"))]
    came = apply_all(Killed(), changes)
    assert (came.done, came.failed, str(came.error)) == ((), changes[0], "oslo-1: one: Killed")


def test_a_program_and_a_command_with_input_are_spoken_to_alone() -> None:
    actions: list[Action] = [shell("a"), Run(Command.of("b"), b"in"), shell("c"), RemoveFile("/d")]
    program = PutProgram("/p", "/lead/p", "0" * 64)
    assert list(batches([*actions, program])) == [
        (actions[0],),
        (actions[1],),
        (actions[2], actions[3]),
        (program,),
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 40_000), max_size=10))
def test_batches_keep_every_action_in_order_and_below_the_limit(sizes: list[int]) -> None:
    actions = [shell("x" * size, "y") for size in sizes]
    cut = list(batches(actions))
    assert [action for batch in cut for action in batch] == actions
    for batch in cut:
        assert len(compose(batch).script.render()) < (128 << 10) or len(batch) == 1


def test_undo_does_what_the_change_says() -> None:
    host = Recorder()
    undo(host, change("one"))  # type: ignore[arg-type]  # a recorder
    assert host.did == [("undo one", b"", 120.0)]


@pytest.mark.parametrize("act", [apply, undo, lambda host, change: apply_all(host, [change])])
def test_a_change_of_another_host_is_refused(act: Any) -> None:
    host = Recorder()
    with pytest.raises(ValueError, match="a change of oslo-2 was given to oslo-1"):
        act(host, change("one", "oslo-2"))
    assert host.did == []
