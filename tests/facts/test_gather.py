"""Many questions in one round trip: cut apart without confusion, run by a real shell."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.command import Command, Script
from tasks.drivers.ports import Output
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.gather import command, gather, marker_of, parse


def question(*words: str) -> Asked[str]:
    return Asked(words[0], Command.of(*words), str)


class Shell:
    """A host that is this machine's own shell."""

    name = "oslo-1"

    def run(self, asked: Script, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        done = subprocess.run(["sh", "-c", asked.render()], capture_output=True, text=True, check=False)
        return Output(done.returncode, done.stdout, done.stderr, 0.0)


def test_a_real_shell_answers_every_question() -> None:
    asked = (question("echo", "one"), question("printf", "no line end"), question("true"))
    facts = gather(Shell(), asked)  # type: ignore[arg-type]  # only `run` and `name` are used
    assert [facts.of(each) for each in asked] == ["one\n", "no line end", ""]
    assert facts.host == "oslo-1"


def test_a_failing_question_is_named_with_its_code_and_message() -> None:
    asked = (question("echo", "one"), Asked("broken", Script.of("echo no >&2; exit 3"), str))
    with pytest.raises(FactUnreadable, match=r"oslo-1: broken: .* ended with 3: no"):
        gather(Shell(), asked)  # type: ignore[arg-type]  # only `run` and `name` are used


def test_a_cut_answer_is_not_an_absent_one() -> None:
    asked = (question("echo", "one"),)
    whole = Shell().run(command(asked)).stdout
    for length in range(len(whole) - 2):
        with pytest.raises(FactUnreadable):
            parse("oslo-1", asked, whole[:length])


def test_an_answer_that_makes_no_sense_names_the_command() -> None:
    number = Asked("number", Command.of("echo", "x"), int)
    facts = gather(Shell(), (number,))  # type: ignore[arg-type]  # only `run` and `name` are used
    with pytest.raises(FactUnreadable, match=r"number cannot be understood: .*; run it on the host and look"):
        facts.of(number)


def test_what_was_not_asked_is_an_error_of_ours() -> None:
    facts = gather(Shell(), (question("true"),))  # type: ignore[arg-type]  # only `run` and `name` are used
    with pytest.raises(KeyError):
        facts.of(question("false"))


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_answers_come_back_as_they_were(answers: list[str]) -> None:
    asked = tuple(question("q", str(number)) for number in range(len(answers)))
    marker = marker_of(asked)
    output = "".join(
        f"\n{marker} begin {number}\n{answer}\n{marker} end {number} 0\n"
        for number, answer in enumerate(answers)
    )
    facts = parse("oslo-1", asked, output)
    assert [facts.of(each) for each in asked] == answers
