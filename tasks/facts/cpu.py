"""Processor time over a window, and how much of it the hypervisor stole."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class CpuWindow:
    """Ticks of all processors between two readings of /proc/stat."""

    total: int
    stolen: int

    @property
    def steal(self) -> float:
        """The share that was stolen, 0..1. Raises ValueError where no time passed."""
        if self.total <= 0:
            raise ValueError("no processor time passed between the readings")
        return self.stolen / self.total


def command(window_s: float) -> Shellable:
    """Two readings, `window_s` apart."""
    return Script.of("grep '^cpu ' /proc/stat; sleep \"$1\"; grep '^cpu ' /proc/stat", f"{window_s:g}")


def parse(output: str) -> CpuWindow:
    """Raises ValueError where there are not two readings with a steal column."""
    rows = [
        [int(word) for word in line.split()[1:]] for line in output.splitlines() if line.startswith("cpu ")
    ]
    if len(rows) != 2 or any(len(row) < 8 for row in rows):
        raise ValueError(f"two readings of /proc/stat expected: {output!r}")
    # Columns 9 and 10 (guest) are already counted in user and nice (proc(5)).
    before, after = (row[:8] for row in rows)
    return CpuWindow(sum(after) - sum(before), after[7] - before[7])


def ask(window_s: float) -> Asked[CpuWindow]:
    """The question."""
    return Asked("processor steal", command(window_s), parse)
