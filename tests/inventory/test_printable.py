"""No escape code, control or reordering character of the outside is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.printable import last_line, printable


@given(st.text(max_size=300))
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(ord(each) < 0x20 and each != "\n" for each in shown)
    assert not any(0x7F <= ord(each) < 0xA0 or 0x202A <= ord(each) <= 0x202E for each in shown)
    assert printable(shown) == shown
    assert len(shown) <= 400


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1b", "a"),
        ("bell\x07 nul\x00", "bell? nul?"),
        ("one\r\ntwo\tthree", "one\ntwo three"),
        ("abc\u202egpj.exe", "abc?gpj.exe"),
        ("x" * 401, "x" * 397 + "..."),
        ("Ærfuglveien 3, Oslo", "Ærfuglveien 3, Oslo"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_last_line_is_what_a_program_said_in_the_end() -> None:
    assert last_line("first\n\x1b[1merror: no space\x1b[0m\n\n") == "error: no space"
    assert last_line("\n \n") == ""
