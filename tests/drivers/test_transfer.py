"""Files of any size, private on both sides, and never a wrong one in place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inventory.models.command import Shellable
from tasks.drivers import transfer
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Output
from tests.move.local import LocalHost


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PIECE_BYTES", 1000)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_there_and_back(size: int, tmp_path: Path) -> None:
    content = bytes(number % 251 for number in range(size))
    source, there, here = tmp_path / "source", tmp_path / "folder" / "there", tmp_path / "here"
    source.write_bytes(content)
    told: list[tuple[int, int]] = []
    sent = transfer.send(LocalHost(), source, str(there), lambda done, total: told.append((done, total)))
    assert there.read_bytes() == content
    assert there.stat().st_mode & 0o777 == 0o600
    assert transfer.fetch(LocalHost(), str(there), here) == sent == hashlib.sha256(content).hexdigest()
    assert here.read_bytes() == content
    assert here.stat().st_mode & 0o777 == 0o600
    assert not told or told[-1] == (size, size)


class Changing(LocalHost):
    """A host whose file changes between two pieces."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        output = super().run(command, stdin=stdin, timeout_s=timeout_s)
        if "base64" in command.render():
            self.file.write_bytes(self.file.read_bytes()[::-1])
        return output


def test_what_changes_on_the_way_is_not_put_in_place(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.write_bytes(bytes(range(256)) * 8)
    here.write_text("before")
    with pytest.raises(CommandFailed, match="arrived with another digest"):
        transfer.fetch(Changing(there), str(there), here)
    assert here.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there"]
