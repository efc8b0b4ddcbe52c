"""What a run of the matrix leaves is read again; another document is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import BadInput
from rehearsal.matrix.kept import read, write
from tests.rehearsal.matrix.test_page import FOUND, WELL, matrix


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    kept = matrix(rows=[FOUND], healthy=[WELL])
    page = write(kept, tmp_path / "out")
    assert read(page.with_suffix(".json")) == kept
    assert "wrong-mtu" in page.read_text()


@pytest.mark.parametrize("text", ["{", '{"schema": "safe-harbor/fault-matrix/v1"}', "[]"])
def test_another_document_is_bad_input(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"other\.json: no fault matrix"):
        read(file)
    with pytest.raises(BadInput, match="No such file"):
        read(tmp_path / "none.json")
