"""What a run writes down: one slot a request in arrays that exist before the first one is sent."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Fault(IntEnum):
    """Why a request has no complete answer. `NONE` with `done_s` 0 is a request that was not finished."""

    NONE = 0
    CONNECT = 1  # no connection could be opened
    RESET = 2  # the connection was lost before the first byte of the answer
    TRUNCATED = 3  # ... after the first byte
    PROTOCOL = 4  # the answer is not HTTP, does not have the length that it says, or its head does not end
    TIMEOUT = 5
    INTERRUPTED = 6  # sent, and the run was stopped
    UNSENT = 7  # never sent: the time ran out in the backlog, or the run was stopped
    LOST = 8  # of a generator that was lost: nobody knows whether it was sent


class Slots:
    """The arrays that the hot loop writes. Times are seconds of the monotonic clock, 0 where none."""

    def __init__(self, requests: int) -> None:
        zeros = bytes(8 * requests)
        self.due_s = array("d", zeros)
        self.fired_s = array("d", zeros)  # the generator came to it; minus due = lateness
        self.sent_s = array("d", zeros)  # last sending; minus fired = waiting for a connection
        self.first_byte_s = array("d", zeros)
        self.done_s = array("d", zeros)
        self.server_s = (
            array("d", [math.nan]) * requests
        )  # what the server states that it took, NaN where not
        self.status = array("H", bytes(2 * requests))
        self.body_hash = array("Q", zeros)  # xxh3-64 of the body
        self.fault = array("B", bytes(requests))
        self.retried = array("B", bytes(requests))
        self.fresh = array("B", bytes(requests))  # first request of its connection
        self.connect_s = array("d")  # one a connection that was opened, as the next; durations
        self.tls_s = array("d")  # NaN without TLS


PER_CONNECTION = frozenset({"connect_s", "tls_s"})


@dataclass(frozen=True)
class Records:
    """A run's slots as numpy arrays, times in seconds after the run's start; one item a request, but for
    `PER_CONNECTION`."""

    due_s: Floats
    fired_s: Floats
    sent_s: Floats
    first_byte_s: Floats
    done_s: Floats
    server_s: Floats  # a duration, not a time
    status: NDArray[np.uint16]
    body_hash: NDArray[np.uint64]
    fault: NDArray[np.uint8]
    retried: NDArray[np.uint8]
    fresh: NDArray[np.uint8]
    target: NDArray[np.uint32]
    expected_status: NDArray[np.uint16]
    connect_s: Floats = field(default_factory=lambda: np.empty(0))  # TCP, a duration
    tls_s: Floats = field(default_factory=lambda: np.empty(0))  # the handshake, a duration; NaN without TLS

    @classmethod
    def of(cls, slots: Slots, start_s: float, target: array[int], expected: array[int]) -> Records:
        """Times become relative to `start_s`; those that never happened become NaN."""

        def relative(values: array[float]) -> Floats:
            seconds = np.array(values, dtype=np.float64)
            return np.where(seconds == 0, np.nan, seconds - start_s)

        return cls(
            relative(slots.due_s),
            relative(slots.fired_s),
            relative(slots.sent_s),
            relative(slots.first_byte_s),
            relative(slots.done_s),
            np.array(slots.server_s, dtype=np.float64),
            np.array(slots.status, dtype=np.uint16),
            np.array(slots.body_hash, dtype=np.uint64),
            np.array(slots.fault, dtype=np.uint8),
            np.array(slots.retried, dtype=np.uint8),
            np.array(slots.fresh, dtype=np.uint8),
            np.array(target, dtype=np.uint32),
            np.array(expected, dtype=np.uint16),
            np.array(slots.connect_s, dtype=np.float64),
            np.array(slots.tls_s, dtype=np.float64),
        )

    def save(self, path: Path) -> None:
        """Writes them as `.npz`, one array a field."""
        arrays: dict[str, Any] = dict(self.__dict__)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Records:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
