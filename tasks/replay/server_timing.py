"""The server's own statement of how long an answer took: the Server-Timing header (W3C Server Timing).

A vantage beside the client's: it holds no network, so a nearer site cannot hide slower compute. It is what
the server says of itself, and each side says it of its own work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Reader = Callable[[bytes], float]


def reader(metric: str) -> Reader:
    """Reads an answer's head: the seconds of this metric, NaN where it does not state them.

    `head` may go on with the body, which is not looked at. `dur` is in milliseconds. Several
    headers and several metrics in one are read; the first one counts.
    """
    name = re.escape(metric.encode("ascii"))
    stated = re.compile(
        rb"^server-timing:(?:[^\r\n]*?,)??[ \t]*"
        + name
        + rb"[ \t]*;(?:[^,\r\n]*;)?[ \t]*dur=\"?([0-9]+(?:\.[0-9]+)?)",
        re.IGNORECASE | re.MULTILINE,
    )

    def seconds(head: bytes) -> float:
        interim = head[9:10] == b"1"  # 103 Early Hints: the head that counts comes after it
        found = stated.search(head, 0, len(head) if interim else max(head.find(b"\r\n\r\n"), 0))
        return float(found[1]) / 1000 if found else math.nan

    return seconds
