"""Reads a capture of any known format, plain, gzip or zstd, entry by entry.

Memory is bounded by 14 bytes a replayable entry (18 with sessions) and one object a distinct request or
client; the file itself is never held, and entries need not be in order of time: the arrays are sorted.
Times of whole seconds (most logs have no others) are spread evenly over their second, in the order of the
log; replaying them all at the full second would be a burst that the shop's customers never made.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inventory.errors import BadInput
from tasks.replay.clients import Clients
from tasks.replay.columns import column
from tasks.replay.formats.catalog import named, recognised
from tasks.replay.formats.entry import BrokenLine, Entry, Format, Headers
from tasks.replay.formats.opened import HEAD_BYTES, opened
from tasks.replay.routes import keep_common, route_of
from tasks.replay.selection import Request, Selection, Selector

MAX_TARGETS = 2_000_000
MAX_BODY_BYTES = 256 * 1024 * 1024  # of all distinct requests together


@dataclass(frozen=True, slots=True)
class Target:
    """One distinct request of a capture."""

    method: str
    path: str  # with its query
    route: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True)
class Capture:
    """The replayable entries of a capture, in order of time; arrays have one item an entry.

    `at_s` seconds since the first entry, `target` index into `targets`, `status` what was answered then (0:
    not told), `skipped_before` how many entries that are not replayed stand before it (the last item, one
    more than there are entries, is their total), `client` the number of its client (empty: not asked for).
    `timed` is false where the format has no times: `at_s` then is no more than an order.
    """

    file: str
    targets: tuple[Target, ...]
    at_s: array[float]
    target: array[int]
    status: array[int]
    skipped_before: array[int]
    bad_lines: int
    form: str = "combined"
    timed: bool = True
    client: array[int] = field(default_factory=lambda: array("I"))

    @property
    def skipped(self) -> int:
        """Entries that are not replayed: another method, no HTTP, or not of the selection."""
        return self.skipped_before[-1]

    @property
    def longest_gap_s(self) -> float:
        """The longest pause between two entries; a jump of the clock that wrote them looks so."""
        return float(np.diff(np.frombuffer(self.at_s), prepend=0.0).max())

    def __len__(self) -> int:
        return len(self.at_s)


@dataclass
class _Rows:
    """What has been read so far, in the order of the file."""

    index: dict[Request, int] = field(default_factory=dict)
    at_s: array[float] = field(default_factory=lambda: array("d"))
    target: array[int] = field(default_factory=lambda: array("I"))
    status: array[int] = field(default_factory=lambda: array("H"))
    skipped_at_s: array[float] = field(default_factory=lambda: array("d"))
    clients: Clients | None = None
    bad: int = 0
    body_bytes: int = 0

    def add(self, entry: Entry, request: Request | None) -> None:
        """Raises ValueError where there are more distinct requests than fit, or nobody sent it."""
        if request is None:
            self.skipped_at_s.append(entry.at_s)
            return
        if self.clients is not None:
            self.clients.add(entry)
        known = len(self.index)
        number = self.index.setdefault(request, known)
        if number == known:
            self.body_bytes += len(request.body)
            if known >= MAX_TARGETS or self.body_bytes > MAX_BODY_BYTES:
                raise ValueError(
                    f"more than {MAX_TARGETS} distinct requests, or {MAX_BODY_BYTES} bytes in their bodies; "
                    "split the capture"
                )
        self.target.append(number)
        self.at_s.append(entry.at_s)
        self.status.append(entry.status)


def read_capture(path: Path, max_bad: int = 0, selection: Selection | None = None, form: str = "") -> Capture:
    """Without `form`, the content tells the format.

    Raises BadInput (file:line) for a broken entry beyond `max_bad` of them, an empty or unreadable file.
    """
    selection = selection or Selection()
    rows, selector = _Rows(clients=Clients() if selection.sessions else None), Selector(selection)
    with opened(path) as stream:
        of = named(form) if form else recognised(stream.peek(HEAD_BYTES))
        for number, entry in of.entries(stream):
            if isinstance(entry, BrokenLine):
                rows.bad += 1
                if rows.bad > max_bad:
                    allowed = f"; {max_bad} broken lines are allowed by --max-bad" if max_bad else ""
                    raise BadInput(f"{entry}{allowed}", path, number)
                continue
            try:
                rows.add(entry, selector.pick(entry))
            except ValueError as error:
                raise BadInput(str(error), path, number) from error
    if not rows.at_s:
        skipped = len(rows.skipped_at_s)
        rest = f" ({skipped} lines with other methods or left out)" if skipped else ""
        raise BadInput(f"no line of the capture can be replayed{rest}; GET and HEAD are", path)
    return _sorted(path, rows, of)


def _sorted(path: Path, rows: _Rows, form: Format) -> Capture:
    """Empties the rows as it goes: of ten million, each column takes up to 80 MB."""
    times = np.array(rows.at_s)
    rows.at_s = array("d")
    order = np.argsort(times, kind="stable")
    times = times[order]
    which = np.frombuffer(rows.target, dtype=np.uint32)[order]
    rows.target = array("I")
    status = np.frombuffer(rows.status, dtype=np.uint16)[order]
    rows.status = array("H")
    client = array("I")
    if rows.clients is not None:
        client = column("I", np.frombuffer(rows.clients.numbers, dtype=np.uint32)[order])
    del order
    skipped_before = np.full(len(times) + 1, len(rows.skipped_at_s), dtype=np.uint32)
    skipped_before[:-1] = np.searchsorted(np.sort(np.array(rows.skipped_at_s)), times, "left")
    counts = np.bincount(which, minlength=len(rows.index))
    routes = keep_common([route_of(request.path) for request in rows.index], counts.tolist())
    _spread(times)
    return Capture(
        file=str(path),
        targets=tuple(
            Target(request.method, request.path, route, request.headers, request.body)
            for request, route in zip(rows.index, routes, strict=True)
        ),
        at_s=column("d", times),
        target=column("I", which),
        status=column("H", status),
        skipped_before=column("I", skipped_before),
        bad_lines=rows.bad,
        form=form.name,
        timed=form.timed,
        client=client,
    )


def _spread(times: np.ndarray) -> None:
    """Sorted times -> seconds since the first, in place. Of whole seconds, the k-th of n in a second is k/n
    later."""
    whole = np.array_equal(np.floor(times), times)
    times -= times[0]
    if not whole:
        return
    first = np.flatnonzero(np.diff(times, prepend=-1.0)).astype(np.uint32)
    counts = np.diff(first, append=np.uint32(len(times)))
    later_s = np.arange(len(times), dtype=np.float64)
    later_s -= np.repeat(first, counts)
    later_s /= np.repeat(counts, counts)
    times += later_s
