"""No byte of a ledger can change unseen."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.ledger import Ledger, LedgerBroken, export, read_entries, verify, witness
from tasks.ledger.examine import examine
from tests.ledger.conftest import Ticking, fill


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("closed") / "ledger"
    with Ledger.open(path, clock=Ticking(), actor="lead") as ledger:
        fill(ledger)
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as a killed writer leaves it: write-ahead log there, seal open."""
    place = tmp_path_factory.mktemp("killed")
    with Ledger.open(place / "live", clock=Ticking(), actor="lead") as ledger:
        fill(ledger)
        shutil.copytree(place / "live", place / "ledger")
    assert (place / "ledger" / "ledger.sqlite-wal").stat().st_size > 0
    return place / "ledger"


@pytest.fixture(scope="module")
def bundle(closed: Path) -> Path:
    return export(closed, closed.parent / "bundle")


def flipped(folder: Path, name: str, offset: int, bit: int = 0) -> bytes:
    """Flip a bit in place; the file's content before."""
    content = (folder / name).read_bytes()
    changed = bytearray(content)
    changed[offset] ^= 1 << bit
    (folder / name).write_bytes(changed)
    return content


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.stat().st_size)


@pytest.mark.slow
def test_every_byte_of_the_small_files_counts(closed: Path) -> None:
    for name in ("seal.note", "ledger.pub", "signing-key.pem"):
        for offset in range((closed / name).stat().st_size):
            before = flipped(closed, name, offset, offset % 8)
            assert verify(closed).problems, f"{name}, byte {offset}"
            (closed / name).write_bytes(before)
    assert verify(closed).ok


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bit=st.integers(0, 7))
def test_any_bit_of_a_closed_ledger_counts(closed: Path, data: st.DataObject, bit: int) -> None:
    name = data.draw(st.sampled_from(files_of(closed)))
    offset = data.draw(st.integers(0, (closed / name).stat().st_size - 1))
    before = flipped(closed, name, offset, bit)
    try:
        assert not verify(closed).ok
        with pytest.raises(LedgerBroken):
            read_entries(closed)
        with pytest.raises((LedgerBroken, BadInput)):
            Ledger.open(closed, clock=Ticking(), actor="lead")
    finally:
        (closed / name).write_bytes(before)
    assert verify(closed).ok


@pytest.mark.slow
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bit=st.integers(0, 7))
def test_a_bit_of_a_killed_ledger_is_found_or_changes_nothing(
    killed: Path, data: st.DataObject, bit: int
) -> None:
    name = data.draw(st.sampled_from([n for n in files_of(killed) if not n.endswith("-shm")]))
    offset = data.draw(st.integers(0, (killed / name).stat().st_size - 1))
    clean = examine(killed)
    before = flipped(killed, name, offset, bit)
    try:
        found = examine(killed)
    finally:
        (killed / name).write_bytes(before)
    if not found.problems:
        assert name not in ("seal.note", "ledger.pub", "signing-key.pem")
        assert found.leaves == clean.leaves
        assert found.checkpoints == clean.checkpoints


def test_a_shortened_log_of_a_killed_writer_is_found(killed: Path) -> None:
    log = killed / "ledger.sqlite-wal"
    content = log.read_bytes()
    for kept in range(32, len(content) - 4120, 4120):
        log.write_bytes(content[:kept])
        assert verify(killed).problems, f"{kept} of {len(content)} bytes kept"
    log.write_bytes(content)
    assert verify(killed).ok


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bit=st.integers(0, 7))
def test_any_bit_of_a_bundle_counts(bundle: Path, data: st.DataObject, bit: int) -> None:
    name = data.draw(st.sampled_from(files_of(bundle)))
    offset = data.draw(st.integers(0, (bundle / name).stat().st_size - 1))
    before = flipped(bundle, name, offset, bit)
    try:
        assert not verify(bundle).ok
    finally:
        (bundle / name).write_bytes(before)


def edited(source: Path, target: Path, *statements: str) -> Path:
    shutil.copytree(source, target)
    connection = sqlite3.connect(target / "ledger.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return target


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM entries WHERE number = 6"], "the tail was removed"),
        (["DELETE FROM entries WHERE number = 3"], "removed or reordered"),
        (
            [
                "UPDATE entries SET number = 100 WHERE number = 1",
                "UPDATE entries SET number = 1 WHERE number = 2",
                "UPDATE entries SET number = 2 WHERE number = 100",
            ],
            "reordered",
        ),
        (["DELETE FROM checkpoints WHERE number = (SELECT max(number) FROM checkpoints)"], "checkpoints"),
        (["UPDATE checkpoints SET note = replace(note, 'safe', 'sane')"], "checkpoint 0"),
        (["UPDATE entries SET leaf_hash = zeroblob(32) WHERE number = 0"], "leaf hash"),
        (["UPDATE entries SET leaf = x'7b7d' WHERE number = 0"], "entry 0: not a DSSE envelope"),
        (["DROP TABLE checkpoints"], "damaged"),
        (["DELETE FROM entries", "DELETE FROM checkpoints"], "the tail was removed"),
    ],
)
def test_an_edit_is_named(killed: Path, tmp_path: Path, statements: list[str], said: str) -> None:
    # The killed state has no digest of the whole file, so that the edit itself must be found.
    problems = verify(edited(killed, tmp_path / "edited", *statements)).problems
    assert any(said in problem for problem in problems), problems


def test_a_log_beside_a_sealed_database_is_refused(closed: Path, killed: Path, tmp_path: Path) -> None:
    target = tmp_path / "ledger"
    shutil.copytree(closed, target)
    shutil.copy(killed / "ledger.sqlite-wal", target)
    assert any("lies beside a sealed database" in p for p in verify(target).problems)


def test_a_broken_ledger_is_not_opened_and_not_changed(closed: Path, tmp_path: Path) -> None:
    target = edited(closed, tmp_path / "edited", "DELETE FROM entries WHERE number = 6")
    before = {name: (target / name).read_bytes() for name in files_of(target)}
    with pytest.raises(LedgerBroken, match="the tail was removed") as caught:
        Ledger.open(target, clock=Ticking(), actor="lead")
    assert "restore it from a copy" in str(caught.value)
    assert {name: (target / name).read_bytes() for name in files_of(target)} == before


def test_verifying_changes_nothing(closed: Path, killed: Path) -> None:
    for folder in (closed, killed):
        before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
        assert verify(folder).ok
        after = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
        assert after == before


def test_a_path_that_is_no_ledger_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadInput, match="no ledger is here"):
            verify(path)


def test_a_missing_file_is_a_problem(closed: Path, tmp_path: Path) -> None:
    for name in ("ledger.sqlite", "seal.note", "ledger.pub"):
        target = tmp_path / name
        shutil.copytree(closed, target)
        (target / name).unlink()
        assert any(name in problem for problem in verify(target).problems)
        with pytest.raises(LedgerBroken):
            Ledger.open(target, clock=Ticking(), actor="lead")


def test_a_ledger_is_handed_over_without_its_private_key(closed: Path, tmp_path: Path) -> None:
    target = tmp_path / "ledger"
    shutil.copytree(closed, target)
    (target / "signing-key.pem").unlink()
    assert verify(target).ok
    with pytest.raises(LedgerBroken, match="nothing can be signed"):
        Ledger.open(target, clock=Ticking(), actor="lead")


def test_another_key_is_told_by_the_expected_one(closed: Path, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "forged", clock=Ticking(), actor="lead") as forged:
        fill(forged)
    genuine = verify(closed).key
    assert verify(closed, key=genuine + "\n").ok
    assert any("not by the expected" in p for p in verify(tmp_path / "forged", key=genuine).problems)


def test_a_witness_misses_what_a_rewrite_took_away(tmp_path: Path) -> None:
    folder, key = tmp_path / "ledger", tmp_path / "dpo.key"
    with Ledger.open(folder, clock=Ticking(), actor="lead") as ledger:
        ledger.append("decision", "one", {})
    shutil.copytree(folder, tmp_path / "old")
    with Ledger.open(folder, clock=Ticking(), actor="lead") as ledger:
        ledger.append("decision", "two", {})
    first = witness(folder, key, now_unix_s=1_800_000_000)
    assert (first.checkpoint.size, "time" in first.note) == (2, False)
    assert witness(folder, key).note.startswith(first.checkpoint.note)
    # The holder of the key puts an older, perfectly signed ledger in its place, and writes another history.
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "old", folder)
    with pytest.raises(LedgerBroken, match="the witness saw 2 entries, here are 1"):
        witness(folder, key)
    with Ledger.open(folder, clock=Ticking(), actor="lead") as ledger:
        ledger.append("decision", "other", {})
    assert verify(folder).ok
    with pytest.raises(LedgerBroken, match="not those that the witness saw"):
        witness(folder, key)
