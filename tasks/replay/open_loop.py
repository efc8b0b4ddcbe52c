"""The open loop that every engine is: each request is fired when it is due, whatever the answers do.

One process, one thread. A timer of the kernel wakes it at the next due time; all that is due is fired, all
that is too old is timed out. How a request gets to the server is the engine's own business.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right

import numpy as np

from tasks.replay.records import Fault, Slots
from tasks.replay.timerfd import Timer

BREAKER_FAULTS = 200  # the circuit breaker looks only after so many
BREAKER_SHARE = 0.5  # ... and stops the run where more than half of all answers are faults

_clock = time.monotonic


class OpenLoop(ABC):
    """Runs one schedule. `due_s` are seconds after the start, rising; a request that has no answer
    `timeout_s` after it was due has timed out."""

    def __init__(self, due_s: array[float], timeout_s: float) -> None:
        self.slots = Slots(len(due_s))
        self.backlog_max = 0
        self.opened = 0
        self.unasked = 0
        self.stopped_because = ""
        self.start_s = 0.0
        self.finished_count = 0
        self.fault_count = 0
        self.tls_seen = ""
        self.tls_resumed = 0
        self.connect_error = ""
        self._due_s, self._timeout_s = due_s, timeout_s
        self._count = len(due_s)
        self._next = 0
        self._oldest = 0
        self._over: asyncio.Event = asyncio.Event()

    @property
    def due_count(self) -> int:
        """How many requests have been due so far."""
        return self._next

    async def run(self, lead_s: float) -> None:
        """Fires the schedule, `lead_s` from now on, and waits for the last answer or its time-out."""
        self._loop = asyncio.get_running_loop()
        self._timer = Timer()
        self.start_s = _clock() + lead_s
        due = np.frombuffer(self._due_s, dtype=np.float64) + self.start_s
        self.slots.due_s = array("d", due.tobytes())
        self._loop.add_reader(self._timer.fd, self._tick)
        self._timer.arm(self.slots.due_s[0])
        try:
            await self._over.wait()
        finally:
            self._loop.remove_reader(self._timer.fd)
            self._timer.close()
            await self._close()

    def stop(self, because: str) -> None:
        """Ends the run now: what is in flight is interrupted, what is left is unsent."""
        if self._over.is_set():
            return
        self.stopped_because = because
        slots = self.slots
        for index in range(self._count):
            if not slots.done_s[index] and not slots.fault[index]:
                slots.fault[index] = Fault.INTERRUPTED if slots.sent_s[index] else Fault.UNSENT
        self._over.set()

    def failed(self, index: int, fault: Fault) -> None:
        """The request of this slot gets no answer."""
        self.slots.fault[index] = fault
        self.fault_count += 1
        self._count_one()
        if self.fault_count >= BREAKER_FAULTS and self.fault_count > BREAKER_SHARE * self.finished_count:
            self.stop(f"circuit breaker: {self.fault_count} of {self.finished_count} requests failed")

    def _count_one(self) -> None:
        self.finished_count += 1
        if self.finished_count == self._count:
            self._over.set()

    def _tick(self) -> None:
        now = _clock()
        due, end = self.slots.due_s, self._count
        index = self._next
        if index < end and due[index] <= now:
            first, index = index, bisect_right(due, now, index + 1)
            self.slots.fired_s[first:index] = array("d", (now,)) * (index - first)
            self._next = index
            self._dispatch(range(first, index))
        deadline = self._time_out(now)
        if not self._over.is_set():
            self._timer.arm(min(due[index], deadline) if index < end else deadline)

    def _time_out(self, now: float) -> float:
        """Times out what is too old; gives the next deadline. Slots are in order of due time, so the oldest
        unfinished one has the next deadline."""
        slots, limit_s = self.slots, self._timeout_s
        index, fired = self._oldest, self._next
        while index < fired:
            if not (slots.done_s[index] or slots.fault[index]):
                if slots.due_s[index] + limit_s > now:
                    break
                self._give_up(index)
                self.failed(index, Fault.TIMEOUT if slots.sent_s[index] else self._why_unsent(index))
            index += 1
        self._oldest = index
        return slots.due_s[index] + limit_s if index < self._count else now + limit_s

    @abstractmethod
    def _dispatch(self, indices: range) -> None:
        """Sends the requests of these slots, or lets them wait for connections: all that is due now, at once,
        as a call for each would be a tenth of a busy generator's time."""

    @abstractmethod
    def _give_up(self, index: int) -> None:
        """Whatever carries the request of this slot stops to do so: it has timed out."""

    def _why_unsent(self, index: int) -> Fault:
        """The time of this slot's request is over before it was sent."""
        del index
        return Fault.UNSENT

    @abstractmethod
    async def _close(self) -> None:
        """Leaves nothing open behind."""
