"""A file of goreplay (`--output-file`): blocks of a header line and the raw HTTP message.

    1 932079936fa4306fc308d67588178d17d823647c 1439818823587396305 0
    GET /a HTTP/1.1
    Host: shop.example

Between blocks stands a line of three monkeys. The first number is the kind (1 request, 2 response, 3 replayed
response; only 1 is replayed), then an id, then the time in ns since the epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tasks.replay.formats.entry import BrokenLine, Entry, Format, Numbered, request_line
from tasks.replay.formats.times import epoch_seconds

SEPARATOR = "\N{MONKEY FACE}\N{SEE-NO-EVIL MONKEY}\N{HEAR-NO-EVIL MONKEY}".encode()
MAX_BLOCK_BYTES = 8 * 1024 * 1024
_META = re.compile(rb"([123]) [0-9a-f]+ (\d{16,20})(?: -?\d+)*\s*")

_CODINGS = ("transfer-encoding", "content-encoding")  # such a body is not what the application was sent


def parse(block: bytes) -> Entry | None:
    """Raises BrokenLine; None for a response."""
    first, _, message = block.partition(b"\n")
    meta = _META.fullmatch(first)
    if meta is None:
        raise BrokenLine("a block of goreplay begins with KIND ID NANOSECONDS")
    if meta[1] != b"1":
        return None
    head, _, body = message.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    method, host, target = request_line(start)
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, colon, value in pairs if colon)
    of: dict[str, str] = {}
    for name, value in headers:
        of.setdefault(name.lower(), value)
    forwarded = of.get("x-forwarded-for", "").partition(",")[0].strip()
    coded = any(name.lower() in _CODINGS for name, _ in headers)
    at_s = epoch_seconds(int(meta[2]) / 1e9)
    return Entry(
        *(at_s, method, target, 0, of.get("host", host), headers),
        body=None if coded else body,
        client=of.get("x-real-ip", forwarded),
    )


def _entries(stream: BinaryIO) -> Iterator[Numbered]:
    """The number is the line of the block's header."""
    for number, block in _blocks(stream):
        try:
            if len(block) > MAX_BLOCK_BYTES:
                raise BrokenLine(f"a block is longer than {MAX_BLOCK_BYTES} bytes")
            entry = parse(block)
        except BrokenLine as error:
            yield number, error
            continue
        if entry is not None:
            yield number, entry


def _blocks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number, begun, size = 0, 1, 0
    lines: list[bytes] = []
    while line := stream.readline(MAX_BLOCK_BYTES):
        number += line.endswith(b"\n")
        if line.strip() != SEPARATOR:
            if size <= MAX_BLOCK_BYTES:  # one block too long is told, and not held
                lines.append(line)
            size += len(line)
            continue
        if any(part.strip() for part in lines):
            yield begun, _joined(lines)
        lines, size, begun = [], 0, number + 1
    if any(part.strip() for part in lines):
        yield begun, _joined(lines)


def _joined(lines: list[bytes]) -> bytes:
    """The newline before the separator is the file's, not the message's."""
    return b"".join(lines).removesuffix(b"\n")


def block_of(number: int, entry: Entry) -> bytes:
    """A block of a request, with its separator. The entry is clean: a line ends nowhere but in its body, and
    there is no separator in that."""
    body = entry.body or b""
    length = str(len(body)) if body else ""
    headers = (("Host", entry.host), ("X-Real-IP", entry.client), *entry.headers, ("Content-Length", length))
    head = f"1 {number:024x} {round(entry.at_s * 1e9)} 0\n{entry.method} {entry.target} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers if value)
    return head.encode("latin-1") + b"\r\n" + body + b"\n" + SEPARATOR + b"\n"


FORMAT = Format(
    "goreplay",
    "goreplay's file of requests",
    lambda head: bool(_META.fullmatch(head.partition(b"\n")[0])),
    _entries,
)
