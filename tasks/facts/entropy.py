"""The kernel's random numbers: whether they are seeded, and what hardware feeds them."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields


@dataclass(frozen=True)
class Entropy:
    """`bits` as /proc counts them (256 at most since Linux 5.18); `source` is empty without hardware."""

    bits: int
    source: str


def command() -> Shellable:
    """Ask for both."""
    return Script.of(
        'printf "%s\\t%s\\n" "$(cat /proc/sys/kernel/random/entropy_avail)" '
        '"$(cat /sys/class/misc/hw_random/rng_current 2>/dev/null)"'
    )


def parse(output: str) -> Entropy:
    """Raises ValueError where it is no number."""
    bits, source = fields(output.rstrip("\n"), 2)
    return Entropy(int(bits), "" if source == "none" else source)


def ask() -> Asked[Entropy]:
    """The question."""
    return Asked("entropy", command(), parse)
