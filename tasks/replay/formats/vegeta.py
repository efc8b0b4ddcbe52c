"""Target files of vegeta, without times, in its two formats.

As JSON, one object a line: `method`, `url`, `header` (name -> list of values), `body` (base64). As text,
targets between empty lines: `GET http://shop/a`, then headers, then `@FILE` with the body; a `#` begins a
comment. A body's file is not opened: a capture may not name files of this machine.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO

from tasks.replay.formats.entry import BrokenLine, Entry, Format, Numbered, target_of
from tasks.replay.formats.lines import by_line, json_object, numbered

_LONGEST_JSON = 2 * 1024 * 1024  # bodies stand in the line
_HEAD_JSON = re.compile(rb'\{(?=[^\n]*"method":)(?=[^\n]*"url":)(?![^\n]*"(?:timestamp|time|ts)":)')
_HEAD_TEXT = re.compile(rb"(?:#[^\n]*\n|\s)*[A-Z]+ https?://\S+\s*(?:\n|$)")
_START = re.compile(rb"([A-Z]+) (https?://\S+)\s*")


def parse_json(line: bytes) -> Entry:
    """Raises BrokenLine."""
    found = json_object(line)
    method, url, header = found.get("method"), found.get("url"), found.get("header") or {}
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(header, dict):
        raise BrokenLine("a target of vegeta has a method, a url, and header as an object")
    try:
        body = base64.b64decode(found.get("body") or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise BrokenLine(f"the body is not base64: {error}") from error
    headers = tuple(
        (name, str(value))
        for name, values in header.items()
        for value in (values if isinstance(values, list) else [values])
    )
    host, target = target_of(url.encode("utf-8", "surrogatepass"))
    return Entry(0.0, method, target, 0, host, headers, body)


def _text_entries(stream: BinaryIO) -> Iterator[Numbered]:
    started: tuple[int, str, bytes] | None = None
    headers: list[tuple[str, str]] = []
    body: bytes | None = b""

    def entry(method: str, url: bytes) -> Entry:
        host, target = target_of(url)
        return Entry(0.0, method, target, 0, host, tuple(headers), body)

    for number, line in numbered(stream):
        if line.startswith(b"#"):
            continue
        start = _START.fullmatch(line)
        if (start or not line.strip()) and started:
            yield started[0], entry(*started[1:])
            started = None
        if start:
            started, headers, body = (number, start[1].decode(), start[2]), [], b""
        elif started and line.startswith(b"@"):
            body = None  # its body is elsewhere
        elif started and (header := _header(line)):
            headers.append(header)
        elif line.strip():
            yield number, BrokenLine("neither METHOD URL, nor a header of the target above it, nor @FILE")
    if started:
        yield started[0], entry(*started[1:])


def _header(line: bytes) -> tuple[str, str] | None:
    name, colon, value = line.decode("latin-1").partition(":")
    return (name.strip(), value.strip()) if colon and name.strip() else None


JSON_FORMAT = Format(
    "vegeta-json",
    "vegeta's JSON targets, without times",
    lambda head: bool(_HEAD_JSON.match(head)),
    by_line(parse_json, _LONGEST_JSON),
    timed=False,
)
TEXT_FORMAT = Format(
    "vegeta",
    "vegeta's HTTP targets, without times",
    lambda head: bool(_HEAD_TEXT.match(head)),
    _text_entries,
    timed=False,
)
