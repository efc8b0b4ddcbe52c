"""nginx's `combined` and Apache's `common` and `combined` access log.

    198.51.100.7 - - [04/Oct/2015:13:55:36 +0200] "GET /search?q=lamp HTTP/1.1" 200 2326 "-" "Mozilla/5.0"

Fields that a site has appended after the user agent are allowed and not read.
Format: nginx ngx_http_log_module, Apache mod_log_config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tasks.replay.formats.entry import BrokenLine, Entry, Format, Numbered, request_line
from tasks.replay.formats.lines import by_line
from tasks.replay.formats.times import clf_seconds

_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rb"(\S+) \S+ (?:[^\[\"]*) ?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})\] "
    + _QUOTED
    + rb" (\d{3}) (\d+|-)(?: .*)?"
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))")


class LineParser:
    """Parses lines; remembers the last second it has seen, as neighbours mostly share it."""

    def __init__(self) -> None:
        self._stamp: tuple[bytes, bytes] = (b"", b"")
        self._at_s = 0.0

    def parse(self, line: bytes) -> Entry:
        """Raises BrokenLine."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise BrokenLine(
                'not an access-log line; allowed: ADDRESS - USER [DD/Mon/YYYY:HH:MM:SS +ZZZZ] "REQUEST" '
                "STATUS BYTES, as in nginx's combined format (another format: --format)"
            )
        client, stamp, zone, request, status, _ = match.groups()
        if (stamp, zone) != self._stamp:
            self._at_s = clf_seconds(stamp, zone)
            self._stamp = (stamp, zone)
        method, host, target = request_line(unescaped(request))
        return Entry(self._at_s, method, target, int(status), host, client=client.decode("latin-1"))


def unescaped(request: bytes) -> bytes:
    """Logs write a byte that is not printable as `\\xHH`, and a quote as `\\"` or `\\x22`."""
    if b"\\" not in request:
        return request
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], request)


def _entries(stream: BinaryIO) -> Iterator[Numbered]:
    return by_line(LineParser().parse)(stream)


FORMAT = Format("combined", "nginx/Apache common or combined log", lambda _: True, _entries)
