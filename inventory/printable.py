"""Makes text from outside safe to show: no escape code of a host's output reaches a terminal or a page."""

from __future__ import annotations

import re

# CSI, OSC, DCS, SOS, PM and APC sequences, whole, so that no half of one is left as text.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
_REORDERING = {*range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def printable(text: str, limit: int = 400) -> str:
    """The text without escape sequences and control characters, cut to `limit` characters.

    Line ends stay, tabs become spaces, and every other control or reordering character becomes `?`.
    """
    clean = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\t", " ")
    shown = "".join(_shown(character) for character in clean)
    return shown if len(shown) <= limit else shown[: max(0, limit - 3)] + "..."


def _shown(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return character
    if code < 0x20 or 0x7F <= code < 0xA0 or code in _REORDERING:
        return "?"
    return character


def last_line(text: str, limit: int = 300) -> str:
    """The last line that is not blank, printable: what most programs say when they give up."""
    lines = [line.strip() for line in printable(text, limit=1_000_000).splitlines() if line.strip()]
    return printable(lines[-1], limit) if lines else ""
