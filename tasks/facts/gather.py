"""Asks a host many questions in one round trip.

The answers stand between markers that hold a digest of the questions: no output can pass for another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from inventory.models.command import Script, Shellable
from inventory.printable import last_line, printable
from tasks.drivers.ports import Host
from tasks.facts.asked import Asked, FactUnreadable

T = TypeVar("T")

# $1 the marker; then, a question each, its command, which is text that quotes its own words: in a subshell of
# its own it needs no other shell. Its stderr is part of the answer only where it fails.
_PROGRAM = """
marker=$1; shift; number=0
for question do
  printf '\\n%s begin %s\\n' "$marker" "$number"
  (eval "$question")
  printf '\\n%s end %s %s\\n' "$marker" "$number" "$?"
  number=$((number + 1))
done
"""


@dataclass(frozen=True)
class Facts:
    """The answers of one host, as they came; `of` parses the one that was asked for."""

    host: str
    answers: Mapping[str, str]  # the rendered question -> its stdout

    def of(self, asked: Asked[T]) -> T:
        """The value. Raises FactUnreadable where it makes no sense, KeyError where it was not asked."""
        answer = self.answers[asked.command.render()]
        try:
            return asked.parse(answer)
        except (ValueError, KeyError, IndexError) as error:
            raise FactUnreadable(
                self.host,
                f"{asked.subject} cannot be understood: {printable(str(error), 200)}",
                _look(asked),
            ) from None


def _look(asked: Asked[Any]) -> str:
    """What a person does about it; of a program that is a page long nobody wants to read the text."""
    shown = " ".join(str(asked.command).split())
    return (
        f"run it on the host and look: {printable(shown)}"
        if len(shown) <= 100
        else (f"look at it on the host by hand: {asked.subject}")
    )


def marker_of(asked: Sequence[Asked[Any]]) -> str:
    """The marker of these questions."""
    digest = hashlib.sha256("\0".join(question.command.render() for question in asked).encode()).hexdigest()
    return f"@@{digest[:24]}"


def command(asked: Sequence[Asked[Any]]) -> Script:
    """One program that asks everything."""
    return Script.of(_PROGRAM, marker_of(asked), *(question.command.render() for question in asked))


def questions_of(command: Shellable) -> tuple[str, tuple[str, ...]] | None:
    """The marker and the rendered questions of a program that `command` made; None for any other."""
    if not isinstance(command, Script) or command.program != _PROGRAM:
        return None
    marker, *questions = (str(word) for word in command.arguments)
    return marker, tuple(questions)


def answered(marker: str, answers: Sequence[tuple[str, int]]) -> str:
    """What that program would have printed, for each question's stdout and exit code."""
    return "".join(
        f"\n{marker} begin {number}\n{stdout}\n{marker} end {number} {code}\n"
        for number, (stdout, code) in enumerate(answers)
    )


def cut(host: str, subjects: Sequence[str], marker: str, output: str) -> list[tuple[str, int]]:
    """Each question's answer and exit code, in order; `subjects` names what was asked.

    Raises FactUnreadable where an answer is missing or cut short.
    """
    found = []
    rest = output
    for number, subject in enumerate(subjects):
        _, begun, rest = rest.partition(f"\n{marker} begin {number}\n")
        answer, ended, rest = rest.partition(f"\n{marker} end {number} ")
        code, _, rest = rest.partition("\n")
        if not begun or not ended or not code.isdecimal():
            raise FactUnreadable(host, f"{subject}: the answer is cut short", "run it again")
        rest = "\n" + rest
        found.append((answer, int(code)))
    return found


def parse(host: str, asked: Sequence[Asked[Any]], output: str, errors: str = "") -> Facts:
    """Cut the output into its answers.

    Raises FactUnreadable where an answer is missing, cut short, or its command did not end with 0.
    """
    answers: dict[str, str] = {}
    found = cut(host, [question.subject for question in asked], marker_of(asked), output)
    for question, (answer, code) in zip(asked, found, strict=True):
        if code:
            raise FactUnreadable(
                host,
                f"{question.subject}: `{printable(str(question.command), 120)}` ended with {code}: "
                f"{last_line(errors) or last_line(answer)}",
            )
        answers[question.command.render()] = answer
    return Facts(host, answers)


def gather(host: Host, asked: Sequence[Asked[Any]], *, timeout_s: float = 120.0) -> Facts:
    """Ask the host. Raises FactUnreadable, and what `Host.run` raises."""
    output = host.run(command(asked), timeout_s=timeout_s)
    return parse(host.name, asked, output.stdout, output.stderr)
