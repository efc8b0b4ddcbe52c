"""Bad input: nothing was touched; commands answer it with exit 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file; `line` and `column` count from 1, 0 where there is none."""

    line: int
    column: int
    what: str


class BadInput(Exception):
    """A file or argument that a person gave is wrong. The message says what is wrong and what is allowed.

    `problems` has everything that is wrong with the file, in its order; the message has one line for each,
    as `file:line:column: what`.
    """

    def __init__(
        self,
        what: str,
        file: Path | str | None = None,
        line: int | None = None,
        column: int | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.what = what
        self.file = str(file) if file is not None else None
        self.line = line
        self.column = column
        self.problems = tuple(problems) or (Problem(line or 0, column or 0, what),)
        super().__init__("\n".join(_shown(self.file, problem) for problem in self.problems))

    @classmethod
    def listing(cls, file: Path | str, problems: Sequence[Problem]) -> BadInput:
        """All that is wrong with one file. Raises ValueError where nothing is."""
        if not problems:
            raise ValueError("BadInput needs at least one problem")
        ordered = sorted(set(problems))
        return cls(ordered[0].what, file, ordered[0].line or None, ordered[0].column or None, ordered)


def _shown(file: str | None, problem: Problem) -> str:
    place = ":".join(str(part) for part in (file, problem.line or None, problem.column or None) if part)
    return f"{place}: {problem.what}" if place else problem.what
