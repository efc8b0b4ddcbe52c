"""Shell commands as values: every word is quoted by construction, every secret masked when shown.

No f-string ever meets a shell: a `Command` is made of words, and only `render` turns it into text.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from inventory.models.secret import Secret

Word = str | int | Secret


def _quote(word: Word, *, reveal: bool) -> str:
    if isinstance(word, Secret):
        return shlex.quote(word.reveal()) if reveal else "***"
    return shlex.quote(str(word))


class Shellable:
    """Anything a shell can run: a command or commands joined by an operator."""

    def text(self, *, reveal: bool) -> str:
        """The POSIX shell text; secrets are masked unless `reveal`."""
        raise NotImplementedError

    def render(self) -> str:
        """The text for the shell, secrets in clear."""
        return self.text(reveal=True)

    def __str__(self) -> str:
        return self.text(reveal=False)

    def __or__(self, other: Shellable) -> Joined:
        return Joined("|", (self, other))

    def __and__(self, other: Shellable) -> Joined:
        return Joined("&&", (self, other))

    def then(self, other: Shellable) -> Joined:
        """Run `other` afterwards, whatever this one said."""
        return Joined(";", (self, other))

    def or_else(self, other: Shellable) -> Joined:
        """Run `other` where this one fails."""
        return Joined("||", (self, other))


@dataclass(frozen=True)
class Command(Shellable):
    """One command: `Command.of("sysctl", "-n", key)`."""

    words: tuple[Word, ...]

    @classmethod
    def of(cls, *words: Word) -> Command:
        """A command of these words."""
        if not words:
            raise ValueError("a command needs at least one word")
        return cls(words)

    def text(self, *, reveal: bool) -> str:
        """See `Shellable.text`."""
        return " ".join(_quote(word, reveal=reveal) for word in self.words)


@dataclass(frozen=True)
class Joined(Shellable):
    """Commands joined by `&&`, `|`, `;` or `||`, grouped so that they nest."""

    operator: str
    parts: tuple[Shellable, ...]

    def __post_init__(self) -> None:
        if self.operator not in ("&&", "|", ";", "||"):
            raise ValueError(f"{self.operator!r} does not join commands")

    def text(self, *, reveal: bool) -> str:
        """See `Shellable.text`."""
        inner = f" {self.operator} ".join(part.text(reveal=reveal) for part in self.parts)
        return f"{{ {inner}; }}"


@dataclass(frozen=True)
class Script(Shellable):
    """A fixed program text (never built from values) run by `sh -c`, its values as positional arguments.

    The values arrive as `$1`, `$2`, ...: quoted words, so no value can become code.
    """

    program: str
    arguments: tuple[Word, ...] = ()

    @classmethod
    def of(cls, program: str, *arguments: Word) -> Script:
        """The program and the values of its positional parameters."""
        return cls(program, arguments)

    def text(self, *, reveal: bool) -> str:
        """See `Shellable.text`."""
        words = " ".join(_quote(word, reveal=reveal) for word in self.arguments)
        return f"sh -c {shlex.quote(self.program)} sh {words}".rstrip()
