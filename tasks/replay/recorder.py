"""Records what an edge tells, for a while: from datagrams to a capture that only its owner can read."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backports import zstd

from inventory.errors import BadInput
from tasks.drivers.errors import ServiceFailed
from tasks.replay.datagrams import Datagrams
from tasks.replay.recording import LeftOut, Recording
from tasks.replay.selection import Selection

SCHEMA = "safe-harbor/recording/v1"
_LOOK_S = 0.25  # how often time, size and signals are looked at where nothing comes
_SETTLED_S = 1.0  # a recorder that is killed loses no more
_FRAME: Final = 2  # zstd.ZstdFile.FLUSH_FRAME, whose type is no literal


@dataclass(frozen=True)
class Limits:
    """What ends a recording. Raises BadInput for bounds that cannot be."""

    duration_s: float
    max_mb: float  # of the file, compressed

    def __post_init__(self) -> None:
        if not 0 < self.duration_s <= 86_400:
            raise BadInput(f"--duration {self.duration_s:g}; allowed: seconds above 0, at most 86400 (a day)")
        if not self.max_mb > 0:
            raise BadInput(f"--max-mb {self.max_mb:g}; allowed: above 0")


Told = Callable[[Recording, int, float], None]  # (counts, bytes of the file, seconds since the start)


def record(
    out: Path, datagrams: Datagrams, limits: Limits, selection: Selection, share: float, told: Told
) -> dict[str, Any]:
    """Records until a limit, SIGINT or SIGTERM; gives the statement of what is in the file and what is not.

    `selection.unsafe`: with bodies. Raises BadInput for a share that cannot be or a file that exists,
    ServiceFailed where the file cannot be written; what was settled before stays a whole file.
    """
    if not 0 < share <= 1:
        raise BadInput(f"--share {share:g}; allowed: above 0, at most 1")
    recording = Recording(selection, share, key=secrets.token_bytes(32))
    with _interrupted() as stopped, _Settling(out) as file:
        started, since = datetime.now(UTC), time.monotonic()
        while not (ended := _ended(limits, stopped, file.size, passed_s := time.monotonic() - since)):
            file.settle_at(passed_s)
            told(recording, file.size, passed_s)
            datagram = datagrams.next(min(_LOOK_S, max(limits.duration_s - passed_s, 0.001)))
            if datagram is not None:
                file.write(recording.block(datagram))
        lost = datagrams.lost()
    return {
        "schema": SCHEMA,
        "file": str(out),
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - since, 1),
        "ended": ended,
        "bodies": selection.unsafe,
        "share": share,
        "selection": selection.told(),
        "bytes": out.stat().st_size,
        "received": recording.received,
        "recorded": recording.recorded,
        "left_out": {reason.value: recording.left_out[reason] for reason in LeftOut},
        "lost": lost,
    }


def _ended(limits: Limits, stopped: list[int], size_bytes: int, passed_s: float) -> str:
    if stopped:
        return "interrupted"
    if size_bytes >= limits.max_mb * 1e6:
        return "max_mb"
    return "duration" if passed_s >= limits.duration_s else ""


@contextmanager
def _interrupted() -> Iterator[list[int]]:
    """The signals that came, in place of their exceptions: no request is left half written."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Settling:
    """A zstd file, 0600 from its first byte, of one whole frame a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise BadInput("the file exists; a recording is not written over", path) from error
        except OSError as error:
            raise BadInput(f"cannot be written: {error.strerror}", path) from error
        self._raw = os.fdopen(descriptor, "wb", buffering=0)
        self._packed = zstd.ZstdFile(self._raw, "wb")
        self._settled_s = 0.0
        self._pending = False
        self.size = 0  # bytes on the disk

    def __enter__(self) -> _Settling:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self._told():
                self._packed.close()
        finally:
            self._raw.close()

    def write(self, block: bytes) -> None:
        if block:
            self._pending = True
            with self._told():
                self._packed.write(block)

    def settle_at(self, passed_s: float) -> None:
        if self._pending and passed_s - self._settled_s >= _SETTLED_S:
            with self._told():
                self._packed.flush(_FRAME)
            self._settled_s, self._pending = passed_s, False
            self.size = self._raw.tell()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ServiceFailed(str(self._path), f"cannot be written: {error.strerror}") from error
