"""What of the requests that an edge tells of is recorded: pure, and scrubbed before it is anything else."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from ipaddress import IPv6Address

from tasks.replay.edges.catalog import told_by
from tasks.replay.edges.edge import BODY_TYPES
from tasks.replay.formats.entry import BrokenLine, Entry
from tasks.replay.formats.goreplay import SEPARATOR, block_of
from tasks.replay.scrub import scrubbed_text
from tasks.replay.selection import SAFE_METHODS, UNSAFE_METHODS, Selection, Selector

_TYPE = re.compile(BODY_TYPES + r"\s*(;.*)?", re.IGNORECASE)
_NOBODY = IPv6Address("2001:db8::").packed[:8]
_HOST = re.compile(r"[\w.:\[\]-]*", re.ASCII)


class LeftOut(StrEnum):
    """Why a request is not in the recording."""

    UNREADABLE = "unreadable"  # not of the lines that are shown, cut off, or it did not come to its end
    NOT_DRAWN = "not_drawn"  # --share
    METHOD = "method"  # neither GET nor HEAD, and no --bodies; or none that is ever replayed
    NOT_SELECTED = "not_selected"  # --host, --only, --without
    BODY_TYPE = "body_type"  # neither a form nor JSON: what is secret in it cannot be found
    BODY_CODED = "body_coded"  # compressed
    BODY_CUT = "body_cut"  # not whole: longer than the edge holds, or of a length that was not told


@dataclass
class Recording:
    """Makes blocks of a capture (goreplay's format) of datagrams, and counts what it leaves out.

    A `share` of the clients is recorded, each with all that it asks. Their addresses become numbers under
    `key`, in the network that RFC 3849 keeps for documentation: without the key, which is never written, no
    number leads back. Always: `received = recorded + sum(left_out)`.
    """

    selection: Selection
    share: float
    key: bytes
    received: int = 0
    recorded: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._selector = Selector(self.selection)

    def block(self, datagram: bytes) -> bytes:
        """What is to be written; empty for what is left out."""
        self.received += 1
        try:
            entry = told_by(datagram)
        except BrokenLine:  # counted, not told: the message could quote a customer
            return self._without(LeftOut.UNREADABLE)
        client = blake2b(entry.client.encode(), digest_size=16, key=self.key).digest()
        if int.from_bytes(client[:8], "big") >= self.share * 2**64:
            return self._without(LeftOut.NOT_DRAWN)
        if entry.method not in SAFE_METHODS and not (
            self.selection.unsafe and entry.method in UNSAFE_METHODS
        ):
            return self._without(LeftOut.METHOD)
        request = self._selector.pick(entry)
        if request is None:
            return self._without(LeftOut.NOT_SELECTED)
        if entry.method in UNSAFE_METHODS and (reason := _body_left_out(entry)):
            return self._without(reason)
        self.recorded += 1
        host = scrubbed_text(entry.host) if _HOST.fullmatch(entry.host) else ""
        method, path, headers, body = request
        number = str(IPv6Address(_NOBODY + client[8:])) if entry.client else ""
        return block_of(self.recorded, Entry(entry.at_s, method, path, 0, host, headers, body, number))

    def _without(self, reason: LeftOut) -> bytes:
        self.left_out[reason] += 1
        return b""


def _body_left_out(entry: Entry) -> LeftOut | None:
    headers, body = dict(entry.headers), entry.body or b""
    if "content-encoding" in headers:
        return LeftOut.BODY_CODED
    length = headers.get("content-length", "0" if entry.method == "DELETE" else "")
    if "transfer-encoding" in headers or length != str(len(body)):
        # Of a body of another type the edge tells only the length.
        other = bool(length.strip("0")) and not _TYPE.fullmatch(headers.get("content-type", ""))
        return LeftOut.BODY_TYPE if other else LeftOut.BODY_CUT
    if body and (not _TYPE.fullmatch(headers.get("content-type", "")) or b"\0" in body or SEPARATOR in body):
        return LeftOut.BODY_TYPE
    return None
