"""One request as a capture tells it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple
from urllib.parse import quote_from_bytes

# What RFC 3986 allows in a path and query; everything else is percent-encoded, so no byte of a log can
# end the request line.
ALLOWED_IN_TARGET = "/?:@!$&'()*+,;=-._~%[]"
_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/\d(?:\.\d)?")

Headers = tuple[tuple[str, str], ...]


class BrokenLine(ValueError):
    """The line (or entry) is not of the format; the message says what is wrong."""


class Entry(NamedTuple):
    """`target` (path and query) is None where there is nothing to replay: what was never HTTP."""

    at_s: float  # arrival, seconds since the epoch, UTC; 0 in a format without times
    method: str
    target: str | None
    status: int = 0  # 0: not told
    host: str = ""  # with its port; empty: not told
    headers: Headers = ()
    body: bytes | None = None  # None: the format records no bodies
    client: str = ""  # its address; empty: not told


Numbered = tuple[int, Entry | BrokenLine]


@dataclass(frozen=True)
class Format:
    """`recognises` sees the first bytes of the (unpacked) file; `entries` yields each with its line's number,
    and leaves out what is no request at all (a comment, another kind of measurement)."""

    name: str
    what: str  # for --help and messages
    recognises: Callable[[bytes], bool]
    entries: Callable[[BinaryIO], Iterator[Numbered]]
    timed: bool = True  # whether entries have an arrival time


def request_line(line: bytes) -> tuple[str, str, str | None]:
    """`GET http://host/a HTTP/1.1` -> method, host, target; of anything else empty strings and None."""
    parts = _REQUEST_LINE.fullmatch(line)
    if parts is None:
        return "", "", None
    return parts[1].decode(), *target_of(parts[2])


def target_of(raw: bytes) -> tuple[str, str | None]:
    """The host that a URL names, and the path and query as they may stand in a request; None where there is
    no path (`*`, CONNECT, `data:`)."""
    host = b""
    if raw[:7].lower() == b"http://" or raw[:8].lower() == b"https://":
        _, _, rest = raw.partition(b"//")
        host, slash, path = rest.partition(b"/")
        host, question, query = host.partition(b"?")
        raw = slash + path if slash else b"/" + question + query
    if not raw.startswith(b"/"):
        return "", None
    name = host.decode("ascii", "replace").lower()
    return name, quote_from_bytes(raw.partition(b"#")[0], safe=ALLOWED_IN_TARGET)
