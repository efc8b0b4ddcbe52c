"""What every edge tells of a request, and how it becomes an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.replay.formats.entry import BrokenLine, Entry, target_of
from tasks.replay.formats.times import epoch_seconds
from tasks.replay.scrub import SECRET_HEADERS
from tasks.replay.selection import KEPT_HEADERS

# What the replay sends, and what tells whether a body is whole. None that gives a right.
TOLD_HEADERS = (
    *sorted(KEPT_HEADERS - SECRET_HEADERS),
    *("content-length", "content-encoding", "transfer-encoding"),
)
FORWARDED = "x-forwarded-for"  # the client, where another proxy stands before the edge
# Bodies whose secrets can be found: a form's and JSON's fields have names.
BODY_TYPES = r"application/(x-www-form-urlencoded|json|[a-z0-9.-]+[+]json)"


# Around every line that goes into a file of the site, so that one command takes them out again.
BEGIN, END = "# safe-harbor capture: begin", "# safe-harbor capture: end"
TAKE_OUT = f"sed -i '/{BEGIN}$/,/{END}$/d'"


@dataclass(frozen=True)
class Edge:
    """`lines(address, bodies)`: what goes into its configuration, and how it is taken out again.

    `parse` gives None for a datagram of another program, and raises BrokenLine for one of this edge that
    tells of no whole request.
    """

    name: str
    lines: Callable[[str, bool], str]
    parse: Callable[[bytes], Entry | None]


def entry_of(told: Mapping[str, bytes], at_s: float) -> Entry:
    """`told` has client (its address), method, target, host, body, TOLD_HEADERS and FORWARDED, as the client
    sent them; those that it did not send are missing or empty. Raises BrokenLine."""
    method = told.get("method", b"").decode("latin-1")
    _, target = target_of(told.get("target", b""))
    if not method or target is None:
        raise BrokenLine("a request that did not come to its end")
    headers = tuple((name, told[name].decode("latin-1")) for name in TOLD_HEADERS if told.get(name))
    host = told.get("host", b"").decode("latin-1").lower()
    client = (told.get(FORWARDED, b"").partition(b",")[0].strip() or told.get("client", b"")).decode(
        "latin-1"
    )
    return Entry(epoch_seconds(at_s), method, target, 0, host, headers, told.get("body", b""), client)
