"""Bad input: nothing was touched; commands answer it with exit 2."""

from __future__ import annotations

from pathlib import Path


class BadInput(Exception):
    """A file or argument that a person gave is wrong. The message says what is wrong and what is allowed."""

    def __init__(self, what: str, file: Path | str | None = None, line: int | None = None) -> None:
        self.what = what
        self.file = str(file) if file is not None else None
        self.line = line
        place = ":".join(str(part) for part in (self.file, line) if part is not None)
        super().__init__(f"{place}: {what}" if place else what)
