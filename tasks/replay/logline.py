"""One line of an access log in nginx's `combined` format (also Apache's `common` and `combined`).

    198.51.100.7 - - [04/Oct/2015:13:55:36 +0200] "GET /search?q=lamp HTTP/1.1" 200 2326 "-" "Mozilla/5.0"

Fields that a site has appended after the user agent are allowed and not read.
Format: nginx ngx_http_log_module, Apache mod_log_config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote_from_bytes

from tasks.replay.scrub import scrubbed

REPLAYABLE = (b"GET", b"HEAD")  # safe methods: replaying them changes nothing at the shop

_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rb"(\S+) \S+ (?:[^\[\"]*) ?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})\] "
    + _QUOTED
    + rb" (\d{3}) (\d+|-)(?: .*)?"
)
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/\d(?:\.\d)?")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))")
_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
# What RFC 3986 allows in a path and query; everything else is percent-encoded, so no byte of a log can
# end the request line.
_ALLOWED = "/?:@!$&'()*+,;=-._~%[]"


class BrokenLine(ValueError):
    """The line is not of the format; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """`target` is None where the line cannot be replayed: another method, or what was never HTTP."""

    at_s: float  # seconds since the epoch, UTC
    method: str
    target: str | None
    status: int


class LineParser:
    """Parses lines; remembers the last second it has seen, as neighbours mostly share it."""

    def __init__(self) -> None:
        self._stamp: tuple[bytes, bytes] = (b"", b"")
        self._at_s = 0.0

    def parse(self, line: bytes) -> LogLine:
        """Raises BrokenLine."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise BrokenLine(
                'not an access-log line; allowed: ADDRESS - USER [DD/Mon/YYYY:HH:MM:SS +ZZZZ] "REQUEST" '
                "STATUS BYTES, as in nginx's combined format"
            )
        _, stamp, zone, request, status, _ = match.groups()
        if (stamp, zone) != self._stamp:
            self._at_s = _seconds(stamp, zone)
            self._stamp = (stamp, zone)
        parts = _REQUEST.fullmatch(_unescaped(request))
        if parts is None or parts[1] not in REPLAYABLE:
            return LogLine(self._at_s, parts[1].decode() if parts else "", None, int(status))
        return LogLine(self._at_s, parts[1].decode(), _target(parts[2]), int(status))


def _seconds(stamp: bytes, zone: bytes) -> float:
    month = _MONTHS.get(stamp[3:6])
    if month is None:
        raise BrokenLine(f"no month is named {stamp[3:6].decode('ascii', 'replace')!r}")
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    if int(zone[3:5]) > 59 or minutes > 14 * 60:
        raise BrokenLine(f"no time zone is {zone.decode()!r}; allowed: -1400 to +1400")
    offset = timezone(timedelta(minutes=minutes if zone[:1] == b"+" else -minutes))
    day, year, hour, minute, second = (
        int(stamp[a:b]) for a, b in ((0, 2), (7, 11), (12, 14), (15, 17), (18, 20))
    )
    try:
        # A leap second (60) is counted as the second before it, as POSIX time does.
        at = datetime(
            year, month, day, hour, minute, min(second, 59) if second == 60 else second, tzinfo=offset
        )
        return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, OverflowError) as error:
        raise BrokenLine(f"no such time: {stamp.decode()} ({error})") from error


def _unescaped(request: bytes) -> bytes:
    """Logs write a byte that is not printable as `\\xHH`, and a quote as `\\"` or `\\x22`."""
    if b"\\" not in request:
        return request
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], request)


def _target(raw: bytes) -> str | None:
    """The path and query as they may stand in a request; None where there is no path (`*`, CONNECT)."""
    if raw[:7].lower() == b"http://" or raw[:8].lower() == b"https://":
        _, _, rest = raw.partition(b"//")
        _, slash, path = rest.partition(b"/")
        raw = slash + path if slash else b"/"
    if not raw.startswith(b"/"):
        return None
    return scrubbed(quote_from_bytes(raw.partition(b"#")[0], safe=_ALLOWED))
