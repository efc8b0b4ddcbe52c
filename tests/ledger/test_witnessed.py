"""A witness's checkpoint is held against the ledger: the same, a longer one, another one, or nobody's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.trail import Trail
from tasks.ledger import Ledger, witness
from tasks.ledger.keys import PublicKey
from tasks.ledger.witnessed import seen
from tests.survey.clock import StandingClock

AT = 1_764_000_000


def ledger(folder: Path, *subjects: str) -> Path:
    with Ledger.open(folder, clock=StandingClock(), actor="kari") as opened:
        for subject in subjects:
            opened.append("evidence", subject, {"n": 1})
    return folder


def looked(folder: Path, note: Path, key: PublicKey | None) -> Trail:
    return seen(folder, [note], {"the DPO": key} if key else {})


def test_a_cosigned_checkpoint_is_named_with_its_time(tmp_path: Path) -> None:
    folder = ledger(tmp_path / "ledger", "one", "two")
    cosigned = witness(folder, tmp_path / "dpo.key", now_unix_s=AT)
    ledger(folder, "three")
    found = looked(folder, cosigned.file, cosigned.witness)
    assert (found.entries, found.problems) == (3, ())
    (only,) = found.cosigned
    assert (only.witness, only.entries, only.at) == ("the DPO", 2, datetime.fromtimestamp(AT, UTC))
    assert seen(folder, [], {}).cosigned == ()


def test_what_a_witness_saw_and_is_not_here_is_a_problem(tmp_path: Path) -> None:
    folder = ledger(tmp_path / "ledger", "one")
    cosigned = witness(folder, tmp_path / "dpo.key", now_unix_s=AT)
    (nobody,) = looked(folder, cosigned.file, None).problems
    assert "no witness that the site names" in nobody
    other = ledger(tmp_path / "other", "one")
    (foreign,) = looked(other, cosigned.file, cosigned.witness).problems
    assert "not signed by" in foreign
    junk = tmp_path / "junk.note"
    junk.write_text("hello\n")
    assert "not a signed note" in looked(folder, junk, cosigned.witness).problems[0]
    assert looked(folder, tmp_path / "absent.note", cosigned.witness).problems


def test_a_ledger_that_was_changed_does_not_pass(tmp_path: Path) -> None:
    folder = ledger(tmp_path / "ledger", "one")
    database = folder / "ledger.sqlite"
    content = bytearray(database.read_bytes())
    content[-1] ^= 1
    database.write_bytes(bytes(content))
    assert seen(folder, [], {}).problems
    with pytest.raises(BadInput):
        seen(tmp_path / "nothing", [], {})
