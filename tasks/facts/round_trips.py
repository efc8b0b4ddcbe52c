"""How long an echo takes from a host to other addresses and back: every one, not ping's own summary."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# $1 how many, then the addresses. ping ends with 1 where one was lost, and says so in its summary.
_PROGRAM = """
count=$1; shift
command -v ping > /dev/null || { echo 'no ping'; exit 0; }
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
for address do
  LC_ALL=C ping -n -c "$count" -i 0.1 -W 1 "$address" > "$said/$address" 2>&1 &
done
wait
for address do
  printf 'to %s\\n' "$address"
  cat "$said/$address"
done
"""
_TIME = re.compile(r"\btime[=<]([0-9.]+) ms(.*)")
_SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True)
class RoundTrips:
    """`times_ms` of the echoes that came back, rising; `sent` of them were asked for."""

    sent: int
    times_ms: tuple[float, ...]

    @property
    def min_ms(self) -> float:
        """The shortest. Raises ValueError where none came back."""
        return min(self.times_ms)

    @property
    def p99_ms(self) -> float:
        """The nearest-rank percentile over all that were sent; infinite where it is one that was lost."""
        rank = math.ceil(0.99 * self.sent)
        return self.times_ms[rank - 1] if 0 < rank <= len(self.times_ms) else math.inf


def command(count: int, addresses: Sequence[str]) -> Shellable:
    """Ask every address at once, ten times a second."""
    return Script.of(_PROGRAM, count, *addresses)


def parse(output: str) -> Mapping[str, RoundTrips] | None:
    """Address -> its round trips; None where the host has no ping.

    Raises ValueError where ping said no summary: an address that is none, or a network that is not there.
    """
    if output.strip() == "no ping":
        return None
    found: dict[str, RoundTrips] = {}
    address, times = "", list[float]()
    for line in output.splitlines():
        if line.startswith("to "):
            address, times = line[3:], []
            found[address] = RoundTrips(0, ())
        elif (answer := _TIME.search(line)) is not None:
            if "DUP!" not in answer[2]:
                times.append(float(answer[1]))
        elif (summary := _SUMMARY.match(line)) is not None:
            sent, received = int(summary[1]), int(summary[2])
            if received != len(times):
                raise ValueError(f"{address}: {received} received and {len(times)} times")
            found[address] = RoundTrips(sent, tuple(sorted(times)))
    for name, trips in found.items():
        if not trips.sent:
            raise ValueError(f"ping said nothing of {name}")
    return found


def ask(count: int, addresses: Sequence[str]) -> Asked[Mapping[str, RoundTrips] | None]:
    """The question."""
    return Asked("round trips", command(count, addresses), parse)
