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
from types import TracebackType
from typing import Any, Self

from backports import zstd

from inventory.errors import BadInput
from tasks.drivers.errors import ServiceFailed
from tasks.replay.datagrams import Datagrams
from tasks.replay.recording import LeftOut, Recording
from tasks.replay.selection import Selection

SCHEMA = "safe-harbor/recording/v1"
_LOOK_S = 0.25  # how often time, size and signals are looked at where nothing comes
_WAITING_S = 0.001  # long enough for what is there
_SETTLED_S = 1.0  # a recorder that is killed loses no more
_FRAME_BYTES = 1024 * 1024  # before compression


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
    ServiceFailed where the file cannot be written; what was written before can be read.
    """
    if not 0 < share <= 1:
        raise BadInput(f"--share {share:g}; allowed: above 0, at most 1")
    recording = Recording(selection, share, key=secrets.token_bytes(32))
    with _interrupted() as stopped, _Settling(out) as file:
        started, since = datetime.now(UTC), time.monotonic()
        while not (ended := _ended(limits, stopped, file.size, passed_s := time.monotonic() - since)):
            told(recording, file.size, passed_s)
            datagram = datagrams.next(min(_LOOK_S, max(limits.duration_s - passed_s, 0.001)))
            file.write(b"" if datagram is None else recording.block(datagram), passed_s)
        until = time.monotonic() + _LOOK_S  # what came by now, and no more
        while time.monotonic() < until and (datagram := datagrams.next(_WAITING_S)) is not None:
            file.write(recording.block(datagram), passed_s)
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
    """A zstd file, 0600 from its first byte, that ends with a whole frame whatever happens to its writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise BadInput("the file exists; a recording is not written over", path) from error
        except OSError as error:
            raise BadInput(f"cannot be written: {error.strerror}", path) from error
        self._blocks: list[bytes] = []
        self._waiting_bytes = 0
        self._settled_s = 0.0
        self.size = 0  # bytes in the file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, ServiceFailed):
                self._settle()
        finally:
            os.close(self._file)

    def write(self, block: bytes, passed_s: float) -> None:
        """In a frame of about a second or `_FRAME_BYTES`; an empty block only lets the time pass."""
        if block:
            self._blocks.append(block)
            self._waiting_bytes += len(block)
        if passed_s - self._settled_s >= _SETTLED_S or self._waiting_bytes >= _FRAME_BYTES:
            self._settle()
            self._settled_s = passed_s

    def _settle(self) -> None:
        if not self._blocks:
            return
        frame = memoryview(zstd.compress(b"".join(self._blocks)))
        self._blocks, self._waiting_bytes = [], 0
        end = self.size + len(frame)
        try:
            while frame:
                frame = frame[os.write(self._file, frame) :]
        except OSError as error:
            os.ftruncate(self._file, self.size)
            raise ServiceFailed(str(self._path), f"cannot be written: {error.strerror}") from error
        self.size = end
