"""The approval at the prompt on a real terminal: nothing is drawn over what a person types."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
from pathlib import Path

import pytest

from flows.cli.terminal import Terminal
from tasks.steps import approve as steps
from tasks.steps.stage import stage
from tasks.steps.workplace import opened
from tests.steps.fakes import World
from tests.steps.test_approve import DIGEST, gate_says

pytestmark = pytest.mark.usefixtures("plain_tasks")

TYPING_S = 0.6  # a live line is drawn more than ten times a second


class Person:
    """Types on the other end of a terminal, and remembers what the terminal showed while doing so."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.seen = b""
        self.while_typing: list[bytes] = []

    def answer(self, prompt: bytes, text: bytes) -> None:
        """Wait for the prompt, type half of the text, look on for a while, type the rest."""
        deadline = time.monotonic() + 20
        while not self.seen.endswith(prompt):
            assert time.monotonic() < deadline, self.seen
            self.seen += self._shown(0.1)
        os.write(self._end, text[: len(text) // 2])
        begun, shown = time.monotonic(), b""
        while time.monotonic() - begun < TYPING_S:
            shown += self._shown(0.1)
        self.while_typing.append(shown)
        self.seen = b""
        os.write(self._end, text[len(text) // 2 :] + b"\n")

    def _shown(self, within_s: float) -> bytes:
        ready, _, _ = select.select([self._end], [], [], within_s)
        return os.read(self._end, 65536) if ready else b""


def test_what_is_typed_stays_as_it_was_typed(
    site_file: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    end, inner = pty.openpty()
    answers = (
        (b"your name: ", b"Kari Nordmann"),
        (b"your reason: ", b"I have read the report."),
        (b"(empty: do not approve): ", DIGEST[:16].encode()),
    )
    person, failed = Person(end), []

    def typing() -> None:
        try:
            for prompt, text in answers:
                person.answer(prompt, text)
        except AssertionError as error:
            failed.append(error)
            os.write(end, b"\n\n\n")  # lets the prompt end

    typist = threading.Thread(target=typing)
    with os.fdopen(os.dup(inner)) as typed, os.fdopen(inner, "w") as shown:
        monkeypatch.setattr("sys.stdin", typed)
        monkeypatch.setattr("sys.stderr", shown)
        with opened(site_file, progress=Terminal(), actor="tests", make_drivers=world.drivers) as place:
            gate_says(place)
            typist.start()
            with stage("approve") as draft:
                steps.ask_at_the_prompt(draft, DIGEST)
            typist.join(20)
        monkeypatch.undo()
    os.close(end)
    assert failed == []
    assert draft.figures["approver"] == "Kari Nordmann"
    halves = [text[: len(text) // 2] for _, text in answers]
    assert person.while_typing == halves, "only the terminal's own echo"
