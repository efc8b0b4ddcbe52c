"""Reads a capture: an access log, plain or gzip, line by line.

Memory is bounded by 14 bytes a replayable line and one entry a distinct target; the file itself is never
held. Lines need not be in order of time. Log times are whole seconds, so the requests of one second are
spread evenly over it, in the order of the log; replaying them all at the full second would be a burst
that the shop's customers never made.
"""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from inventory.errors import BadInput
from tasks.replay.logline import BrokenLine, LineParser
from tasks.replay.routes import keep_common, route_of

MAX_LINE_BYTES = 64 * 1024  # nginx itself takes no request line above 32 KiB by default
MAX_TARGETS = 2_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One distinct request of a capture."""

    method: str
    path: str  # with its query
    route: str


@dataclass(frozen=True)
class Capture:
    """The replayable lines of a log, in order of time; arrays have one item a line.

    `at_s` seconds since the first line, `target` index into `targets`, `status` what the log says was
    answered, `skipped_before` how many lines that cannot be replayed stand before it (the last item, one
    more than there are lines, is their total).
    """

    file: str
    targets: tuple[Target, ...]
    at_s: array[float]
    target: array[int]
    status: array[int]
    skipped_before: array[int]
    bad_lines: int

    @property
    def skipped(self) -> int:
        """Lines of the log that are not replayed: another method than GET or HEAD, or no HTTP."""
        return self.skipped_before[-1]

    def __len__(self) -> int:
        return len(self.at_s)


def read_capture(path: Path, max_bad: int = 0) -> Capture:
    """Raises BadInput (file:line) for a broken line beyond `max_bad` of them, an empty or unreadable file."""
    parser = LineParser()
    index: dict[tuple[str, str], int] = {}
    at_s, target, status, skipped_at = array("d"), array("I"), array("H"), array("d")
    bad = 0
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE_BYTES:
                raise BrokenLine(f"the line is longer than {MAX_LINE_BYTES} bytes")
            parsed = parser.parse(line)
        except BrokenLine as error:
            bad += 1
            if bad > max_bad:
                allowed = f"; {max_bad} broken lines are allowed by --max-bad" if max_bad else ""
                raise BadInput(f"{error}{allowed}", path, number) from error
            continue
        if parsed.target is None:
            skipped_at.append(parsed.at_s)
            continue
        key = (parsed.method, parsed.target)
        if key not in index and len(index) >= MAX_TARGETS:
            raise BadInput(f"more than {MAX_TARGETS} distinct requests; split the capture", path, number)
        target.append(index.setdefault(key, len(index)))
        at_s.append(parsed.at_s)
        status.append(parsed.status)
    if not at_s:
        rest = f" ({len(skipped_at)} lines with other methods)" if skipped_at else ""
        raise BadInput(f"no line of the capture can be replayed{rest}; GET and HEAD are", path)
    return _sorted(path, list(index), at_s, target, status, skipped_at, bad)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with closing(_opened(path)) as stream:
            while line := stream.readline(MAX_LINE_BYTES + 2):
                number += 1
                while not line.endswith(b"\n") and (more := stream.readline(MAX_LINE_BYTES)):
                    line = line[: MAX_LINE_BYTES + 2] + more[-1:]  # too long: only its end matters
                yield number, line.rstrip(b"\r\n") if len(line) <= MAX_LINE_BYTES + 2 else line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"the gzip file is broken: {error}", path, number + 1) from error
    except OSError as error:
        raise BadInput(f"the capture cannot be read: {error.strerror or error}", path) from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _sorted(
    path: Path,
    keys: list[tuple[str, str]],
    at_s: array[float],
    target: array[int],
    status: array[int],
    skipped_at: array[float],
    bad: int,
) -> Capture:
    times = np.frombuffer(at_s, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    spread = _spread(times[order])
    skipped_before = np.searchsorted(
        np.sort(np.frombuffer(skipped_at, dtype=np.float64)), times[order], "left"
    )
    which = np.frombuffer(target, dtype=np.uint32)[order]
    counts = np.bincount(which, minlength=len(keys))
    routes = keep_common([route_of(key[1]) for key in keys], counts.tolist())
    return Capture(
        file=str(path),
        targets=tuple(Target(method, url, route) for (method, url), route in zip(keys, routes, strict=True)),
        at_s=array("d", (spread - spread[0]).tobytes()),
        target=array("I", which.tobytes()),
        status=array("H", np.frombuffer(status, dtype=np.uint16)[order].tobytes()),
        skipped_before=array("I", np.append(skipped_before, len(skipped_at)).astype(np.uint32).tobytes()),
        bad_lines=bad,
    )


def _spread(times: np.ndarray) -> np.ndarray:
    """Sorted whole seconds -> the k-th of n requests in a second is k/n later."""
    _, first, inverse, counts = np.unique(times, return_index=True, return_inverse=True, return_counts=True)
    return np.asarray(times + (np.arange(len(times)) - first[inverse]) / counts[inverse], dtype=np.float64)
