"""The live view of a replay, drawn into a text."""

from __future__ import annotations

from collections import deque
from io import StringIO

import pytest
from rich.console import Console

from flows.cli.replay_view import LOOKS, ReplayView, course, replay_view
from tasks.replay.glance import Glance


def drawn(view: ReplayView) -> str:
    console = Console(file=StringIO(), width=100, force_terminal=False)
    console.print(view)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_how_far_how_fast_and_the_course_of_p99() -> None:
    view = ReplayView("replaying shop.log")
    assert "replaying shop.log" in drawn(view)
    for p99_ms in (10.0, 80.0, 10.0):
        view.see(Glance(1000, 4000, 0, 12, 500.0, 2.0, p99_ms))
    view.see(Glance(1100, 4000))
    text = drawn(view)
    assert "28%" in text
    assert "500/s, p50 2.0 ms, p99 10.0 ms, 12 in flight" in text, "the last one that says something"
    assert "p99 ▂█▂ of at most 80.0 ms" in text


def test_the_course_is_of_the_last_half_minute() -> None:
    view = ReplayView("x")
    for number in range(LOOKS + 5):
        view.see(Glance(number, 100, p50_ms=1.0, p99_ms=100.0 if number < 5 else 1.0))
    assert "of at most 1.0 ms" in drawn(view)
    assert course(deque([0.0, 0.0])) == "▁▁"


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with replay_view("x") as see:
        see(Glance(1, 2, p50_ms=1.0, p99_ms=1.0))
    assert capsys.readouterr() == ("", "")
