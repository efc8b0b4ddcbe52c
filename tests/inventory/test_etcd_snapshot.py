"""A snapshot is taken only where its own hash is right and nobody else can read it."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.errors import BadInput
from inventory.etcd_snapshot import verify


def snapshot(folder: Path, database: bytes, mode: int = 0o600) -> Path:
    path = folder / "saved.db"
    path.write_bytes(database + hashlib.sha256(database).digest())
    path.chmod(mode)
    return path


def test_a_whole_one(tmp_path: Path) -> None:
    path = snapshot(tmp_path, b"x" * 512 * 5000)  # more than one chunk
    assert verify(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1023 + 32), st.integers(1, 255))
def test_any_changed_byte_is_seen(place: int, change: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = snapshot(Path(folder), bytes(range(256)) * 4)
        content = bytearray(path.read_bytes())
        content[place] ^= change
        path.write_bytes(content)
        with pytest.raises(BadInput, match="is damaged"):
            verify(path)


@pytest.mark.parametrize("size", [0, 31, 32, 512, 1000])
def test_what_is_cut_short_or_no_snapshot(tmp_path: Path, size: int) -> None:
    path = tmp_path / "saved.db"
    path.write_bytes(b"x" * size)
    path.chmod(0o600)
    with pytest.raises(BadInput, match="is no whole etcd snapshot"):
        verify(path)


def test_one_that_others_can_read(tmp_path: Path) -> None:
    path = snapshot(tmp_path, b"x" * 512, 0o640)
    with pytest.raises(BadInput, match=f"chmod 600 {path}"):
        verify(path)


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        verify(tmp_path / "nowhere.db")
