"""Access log of an AWS Application Load Balancer.

Arrival is `request_creation_time`, the 22nd field; the second one, `time`, is when the answer was made. Lines
older than that field (before 2018) are broken here: they do not tell when the request came. The log writes
`-` for a status that was never sent. Format: AWS, access log entries of Application Load Balancers.
"""

from __future__ import annotations

import re

from tasks.replay.formats.entry import BrokenLine, Entry, Format, request_line
from tasks.replay.formats.lines import by_line
from tasks.replay.formats.times import iso_seconds

_KIND = re.compile(rb"(?:https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT")
_FIELD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')
_CLIENT, _STATUS, _REQUEST, _CREATED = 3, 8, 12, 21
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")


def parse(line: bytes) -> Entry:
    """Raises BrokenLine."""
    if not _KIND.match(line):
        raise BrokenLine(
            "not a line of an ALB log; it starts with http, https, h2, grpcs, ws or wss and a time"
        )
    fields = [quoted or plain for quoted, plain in _FIELD.findall(line)]
    if len(fields) <= _CREATED:
        raise BrokenLine(f"an ALB log has at least {_CREATED + 1} fields, this line {len(fields)}")
    at_s = iso_seconds(fields[_CREATED].decode("ascii", "replace"))
    status = fields[_STATUS]
    if status != b"-" and not (len(status) == 3 and status.isdigit()):
        raise BrokenLine(f"{status.decode('ascii', 'replace')!r} is not a status")
    request = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), fields[_REQUEST])
    method, host, target = request_line(request)
    client = fields[_CLIENT].decode("ascii", "replace").rpartition(":")[0]  # without its port
    return Entry(at_s, method, target, 0 if status == b"-" else int(status), host, client=client)


FORMAT = Format(
    "alb", "log of an AWS Application Load Balancer", lambda head: bool(_KIND.match(head)), by_line(parse)
)
