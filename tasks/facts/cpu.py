"""Processor time over a window: how much of it was used, and how much the hypervisor stole."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

MIN_TICKS = 100  # a second of one processor: a share of less says nothing


@dataclass(frozen=True)
class CpuWindow:
    """Ticks of all processors between two readings of /proc/stat; `idle` includes waiting for a disk."""

    total: int
    stolen: int
    idle: int

    @property
    def steal(self) -> float:
        """The share that was stolen, 0..1. Raises ValueError where no time passed."""
        return self._share(self.stolen)

    @property
    def busy(self) -> float:
        """The share in which the machine itself worked, 0..1. Raises ValueError where no time passed."""
        return self._share(self.total - self.idle - self.stolen)

    def _share(self, ticks: int) -> float:
        if self.total <= 0:
            raise ValueError("no processor time passed between the readings")
        return ticks / self.total


@dataclass(frozen=True)
class CpuTicks:
    """One reading: ticks of all processors since the boot."""

    total: int
    stolen: int
    idle: int

    def since(self, before: CpuTicks) -> CpuWindow:
        """What passed between two readings."""
        return CpuWindow(self.total - before.total, self.stolen - before.stolen, self.idle - before.idle)


def command(window_s: float) -> Shellable:
    """Two readings, `window_s` apart."""
    return Script.of("grep '^cpu ' /proc/stat; sleep \"$1\"; grep '^cpu ' /proc/stat", f"{window_s:g}")


def parse_ticks(line: str) -> CpuTicks:
    """The line of all processors. Raises ValueError where it is another one, or has no steal column."""
    name, *words = line.split() or [""]
    if name != "cpu" or len(words) < 8:
        raise ValueError(f"the line `cpu` of /proc/stat expected: {line!r}")
    # Columns 9 and 10 (guest) are already counted in user and nice (proc(5)).
    ticks = [int(word) for word in words[:8]]
    return CpuTicks(sum(ticks), stolen=ticks[7], idle=ticks[3] + ticks[4])


def parse(output: str) -> CpuWindow:
    """Raises ValueError where there are not two readings with a steal column."""
    rows = [line for line in output.splitlines() if line.startswith("cpu ")]
    if len(rows) != 2:
        raise ValueError(f"two readings of /proc/stat expected: {output!r}")
    before, after = map(parse_ticks, rows)
    return after.since(before)


def ask(window_s: float) -> Asked[CpuWindow]:
    """The question."""
    return Asked("processor steal", command(window_s), parse)
