"""Stops the generator of a run for a while, as a hypervisor does that gives its processor to others."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from tasks.replay.glance import Glance

STALL_S = 0.3


class Stall:
    """A run's `on_progress`: once so many requests are done, its generator stands still for 0.3 s."""

    def __init__(self, after: int) -> None:
        self._after = after
        self.stalled = False

    def __call__(self, glance: Glance) -> None:
        if self.stalled or glance.finished < self._after:
            return
        self.stalled = True
        (generator,) = generators_of_this_thread()
        os.kill(generator, signal.SIGSTOP)
        time.sleep(STALL_S)
        os.kill(generator, signal.SIGCONT)


def generators_of_this_thread() -> list[int]:
    """The process ids of the generators that it has begun."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"tasks.replay.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
