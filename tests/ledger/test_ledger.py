"""Appending, effects, checkpoints, locking, and what a killed process leaves."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.models.secret import Secret
from tasks.drivers.errors import OutsideError
from tasks.ledger import Ledger, LedgerBroken, LedgerBusy, read_entries, verify
from tests.ledger.conftest import Ticking

Opened = Callable[[], Ledger]


def test_entries_are_kept_in_order_and_reread(opened: Opened) -> None:
    with opened() as ledger:
        first = ledger.append("intent", "stage/survey", {"regions": ["eu-north-1"]})
        second = ledger.append("evidence", "stage/survey", {"resources": 41})
        root = ledger.root()
    assert (first.index, second.index, first.actor, first.kind) == (0, 1, "lead", "intent")
    with opened() as ledger:
        assert [entry.as_json() for entry in ledger.entries()] == [first.as_json(), second.as_json()]
        assert ledger.entries(kind="evidence") == [second]
        assert ledger.entries(subject="nothing") == []
        assert ledger.root() == root


def test_an_effect_writes_its_intent_before_and_its_outcome_after(opened: Opened) -> None:
    with opened() as ledger:
        with ledger.effect("dns", {"to": "10.60.0.11"}) as effect:
            assert [e.subject for e in ledger.open_intents()] == ["dns"]
            effect.outcome = {"answered": "10.60.0.11"}
        assert ledger.open_intents() == []
        outcome = ledger.entries(kind="outcome")[0]
    assert outcome.body == {"answered": "10.60.0.11", "intent": 0, "done": True, "error": ""}


def test_a_failed_effect_is_written_and_passes_through(opened: Opened) -> None:
    with opened() as ledger:
        with pytest.raises(OutsideError, match="oslo-2"), ledger.effect("join", {}) as effect:
            effect.outcome = {"joined": 1}
            raise OutsideError("oslo-2", "no route")
        with pytest.raises(KeyboardInterrupt), ledger.effect("join", {}):
            raise KeyboardInterrupt
        first, second = (e.body for e in ledger.entries(kind="outcome"))
        error = "OutsideError: oslo-2: no route"
        assert first == {"joined": 1, "intent": 0, "done": False, "error": error}
        assert (second["done"], second["error"]) == (False, "KeyboardInterrupt: ")
        assert ledger.open_intents() == []


def test_an_outcome_does_not_hide_the_ledgers_own_keys(opened: Opened) -> None:
    with opened() as ledger, ledger.effect("x", {}) as effect:
        with pytest.raises(ValueError, match="done, intent are the ledger's own keys"):
            effect.outcome = {"intent": 5, "done": True}
        effect.outcome = {"fine": 1}


class _Colour(StrEnum):
    RED = "red"


def test_a_body_may_hold_what_json_holds(opened: Opened) -> None:
    body: dict[str, Any] = {"a": [1, 2.5, None, True, "æ", {"b": ()}], "c": _Colour.RED}
    with opened() as ledger:
        entry = ledger.append("evidence", "x", body)
    assert entry.body == {"a": [1, 2.5, None, True, "æ", {"b": []}], "c": "red"}


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"a": {"password": Secret("hunter2")}}, TypeError, "body.a.password: a secret"),
        ({"a": [Path("/x")]}, TypeError, r"body.a\[0\]: PosixPath is not JSON"),
        ({"a": {1: 2}}, TypeError, "the key 1 is not text"),
        ({"a": float("nan")}, ValueError, "nan is not a JSON number"),
        ({"a": 2**53}, ValueError, "beyond 2"),
        ({"a": "\ud800"}, ValueError, "lone surrogate"),
        ([1], TypeError, "list is not a JSON object"),
    ],
)
def test_a_body_that_is_not_json_is_refused(
    opened: Opened, body: Any, error: type[Exception], message: str
) -> None:
    with opened() as ledger:
        with pytest.raises(error, match=message) as caught:
            ledger.append("evidence", "x", body)
        assert "hunter2" not in str(caught.value)
        with pytest.raises(error), ledger.effect("x", {}) as effect:
            effect.outcome = {"inner": body}
            if isinstance(body, list):
                raise TypeError("a list is JSON inside an object")
        assert [e.kind for e in ledger.entries()] == ["intent", "outcome"]


def test_an_unknown_kind_is_refused_and_the_known_are_named(opened: Opened) -> None:
    with opened() as ledger, pytest.raises(ValueError, match=r"'note' is no kind.*intent, outcome"):
        ledger.append("note", "x", {})


def test_a_decision_is_checkpointed_as_it_is_written(opened: Opened) -> None:
    with opened() as ledger:
        ledger.append("intent", "gate", {})
        ledger.append("decision", "gate", {"go": True})
        killed = read_entries(ledger.path)
        assert verify(ledger.path).checkpoints == 1
        assert len(killed) == 2
        assert ledger.checkpoint().size == 2
        assert ledger.checkpoint() is ledger.checkpoint()


def test_the_key_is_private(folder: Path, opened: Opened) -> None:
    assert stat.S_IMODE((folder / "signing-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "signing-key.pem").chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        opened()


def test_a_closed_ledger_takes_nothing(opened: Opened) -> None:
    ledger = opened()
    ledger.close()
    ledger.close()
    with pytest.raises(ValueError, match="closed"):
        ledger.append("intent", "x", {})


def test_a_second_writer_is_refused(opened: Opened) -> None:
    with opened() as ledger:
        with pytest.raises(LedgerBusy, match="another process writes"):
            opened()
        code = (
            "import sys; from tasks.ledger import Ledger, LedgerBusy\n"
            "from tasks.drivers.clock import SystemClock\n"
            "try: Ledger.open(sys.argv[1], clock=SystemClock(), actor='x')\n"
            "except LedgerBusy: sys.exit(3)"
        )
        assert subprocess.run([sys.executable, "-c", code, str(ledger.path)]).returncode == 3
        ledger.append("intent", "still ours", {})
    opened().close()


def test_threads_append_one_after_the_other(opened: Opened) -> None:
    with opened() as ledger:

        def work(name: str) -> None:
            for number in range(15):
                with ledger.effect(f"{name}/{number}", {}):
                    pass

        threads = [threading.Thread(target=work, args=(str(n),)) for n in range(6)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert verify(ledger.path).problems == ()  # a reader is never in the writer's way
        assert len(ledger.entries()) == 180
    verified = verify(ledger.path)
    assert (verified.entries, verified.problems, verified.sealed) == (180, (), True)


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, opened: Opened) -> None:
    code = (
        "import sys, itertools; from tasks.ledger import Ledger\n"
        "from tasks.drivers.clock import SystemClock\n"
        "ledger = Ledger.open(sys.argv[1], clock=SystemClock(), actor='x')\n"
        "for n in itertools.count(): print(ledger.append('intent', str(n), {}).index, flush=True)"
    )
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "ledger")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        seen = [int(child.stdout.readline()) for _ in range(20)]
        child.send_signal(signal.SIGKILL)
        seen += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait()
        verified = verify(tmp_path / "ledger")
        assert verified.problems == ()
        assert not verified.sealed
        assert "not sealed" in str(verified)
        with opened() as ledger:
            assert len(ledger.entries()) > seen[-1]
            assert [e.subject for e in ledger.open_intents()][seen[-1]] == str(seen[-1] - seen[0])
    assert verify(tmp_path / "ledger").sealed


@pytest.mark.parametrize("kept", [[], ["signing-key.pem"], ["signing-key.pem", "ledger.pub"]])
def test_a_kill_while_it_begins_leaves_nothing_in_the_way(
    tmp_path: Path, folder: Path, kept: list[str]
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in kept:
        (begun / name).write_bytes((folder / name).read_bytes())
        (begun / name).chmod(0o600)
    with Ledger.open(begun, clock=Ticking(), actor="lead") as ledger:
        ledger.append("intent", "x", {})
    assert verify(begun).ok


def test_a_kill_before_the_database_is_there(tmp_path: Path, opened: Opened) -> None:
    ledger = opened()
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in ("signing-key.pem", "ledger.pub", "seal.note"):
        (begun / name).write_bytes((ledger.path / name).read_bytes())
        (begun / name).chmod(0o600)
    ledger.close()
    with Ledger.open(begun, clock=Ticking(), actor="lead") as again:
        assert again.entries() == []


def test_a_full_disk_leaves_the_trail_whole(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened() as ledger:
        ledger.append("intent", "before", {})

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("tasks.ledger.ledger.write_durably", refuse)
            with pytest.raises(OSError, match="No space"):  # the entry is durable, its seal is not
                ledger.append("intent", "during", {})
            assert verify(ledger.path).problems == ()
            with pytest.raises(OSError, match="No space"):  # and no second one gets ahead of the seal
                ledger.append("intent", "refused", {})
        ledger.append("intent", "after", {})
        assert [e.subject for e in ledger.entries()] == ["before", "during", "after"]
    assert verify(ledger.path).ok


def test_a_smaller_tree_is_never_signed(opened: Opened) -> None:
    with opened() as ledger:
        ledger.append("decision", "x", {})
        larger = ledger.checkpoint()
        ledger._tree = type(ledger._tree)()
        with pytest.raises(LedgerBroken, match="1 are already signed"):
            ledger.checkpoint()
        ledger._tree.push(bytes.fromhex(ledger.entries()[0].leaf_hash))
        assert ledger.checkpoint() == larger
