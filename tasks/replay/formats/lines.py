"""Formats of one request a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from tasks.replay.formats.entry import BrokenLine, Entry, Numbered

MAX_LINE_BYTES = 64 * 1024  # nginx itself takes no request line above 32 KiB by default


def by_line(
    parse: Callable[[bytes], Entry | None], longest: int = MAX_LINE_BYTES
) -> Callable[[BinaryIO], Iterator[Numbered]]:
    """`parse` raises BrokenLine, and gives None for a line that tells of no request."""

    def entries(stream: BinaryIO) -> Iterator[Numbered]:
        for number, line in numbered(stream, longest):
            if not line.strip():
                continue
            try:
                if len(line) > longest:
                    raise BrokenLine(f"the line is longer than {longest} bytes")
                entry = parse(line)
            except BrokenLine as error:
                yield number, error
                continue
            if entry is not None:
                yield number, entry

    return entries


def numbered(stream: BinaryIO, longest: int = MAX_LINE_BYTES) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends, from 1. Of one that is too long little more than `longest` is held."""
    number = 0
    while line := stream.readline(longest + 2):
        number += 1
        while not line.endswith(b"\n") and (more := stream.readline(longest)):
            line = line[: longest + 2] + more[-1:]  # too long: only its end matters
        yield number, line.rstrip(b"\r\n") if len(line) <= longest + 2 else line


def json_object(line: bytes) -> dict[str, Any]:
    """Raises BrokenLine for anything but one JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenLine(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BrokenLine("not a JSON object")
    return found
