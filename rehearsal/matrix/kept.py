"""The matrix in a folder: fault-matrix.json for programs, fault-matrix.md for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from inventory.errors import BadInput
from rehearsal.matrix.page import render
from rehearsal.matrix.result import Matrix


def write(matrix: Matrix, folder: Path, others: Sequence[Matrix] = ()) -> Path:
    """Both files; `others` stand on the page as well. The page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fault-matrix.json").write_text(matrix.model_dump_json(indent=1, by_alias=True) + "\n")
    page = folder / "fault-matrix.md"
    page.write_text(render([matrix, *others]))
    return page


def read(file: Path) -> Matrix:
    """What `write` left. Raises BadInput where the file is none of its."""
    try:
        return Matrix.model_validate_json(file.read_text())
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BadInput(f"{file}: no fault matrix: {where}: {first['msg']}") from error
