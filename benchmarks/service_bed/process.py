"""Programs in network namespaces: started, their processor time read, ended with us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    """A program in a namespace."""

    running: subprocess.Popen[bytes]

    def cpu_us(self) -> int:
        """User and system time so far, in steps of 10 ms, that of its ended children included.

        A packet's work between two namespaces is done, and counted, in the process that sends it.
        """
        words = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(word) for word in words[11:15]) * _TICK_US

    def end(self) -> None:
        """Stop it and wait."""
        self.running.terminate()
        try:
            self.running.wait(10)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


def inside(netns: str, *argv: str) -> list[str]:
    """The words that run a program in a namespace."""
    return ["ip", "netns", "exec", netns, *argv]


def start(netns: str, argv: Sequence[str], log: Path, prepare: Callable[[], None] = lambda: None) -> Process:
    """Start a program in a namespace; `prepare` runs in its process before it."""

    def first() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prepare()

    with log.open("ab") as file:
        # No thread of ours runs while it forks.
        running = subprocess.Popen(inside(netns, *argv), stdout=file, stderr=file, preexec_fn=first)
    return Process(running)


def run(netns: str, *argv: str, timeout_s: float = 60.0) -> str:
    """What a program in a namespace prints. Raises CalledProcessError where it fails."""
    words = inside(netns, *argv)
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=timeout_s).stdout
