"""How long a disk takes to make a small write durable: each write's own time, as dd tells it.

The way in which etcd's documentation has a disk judged: writes of 2300 bytes one behind the other, each with
an fdatasync. The file has no name any more when the writes begin: nothing is left, however it ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

WRITE_BYTES = 2300
WRITES = 200
_SECONDS = re.compile(r", ([0-9.e+-]+) s, ")
_PROGRAM = """
set -eu
folder=$1
while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
scratch=$(mktemp "$folder/.safe-harbor-sync.XXXXXX")
exec 8<> "$scratch"
rm -f "$scratch"
fallocate -l "$(($2 * $3))" /proc/self/fd/8 2>/dev/null || true  # not every file system can
number=0
while [ "$number" -lt "$3" ]; do
  LC_ALL=C dd if=/dev/zero bs="$2" count=1 conv=notrunc,fdatasync 2>&1 >&8 | tail -n 1
  number=$((number + 1))
done
"""


@dataclass(frozen=True)
class DiskSync:
    """Each write's time in ms, sorted."""

    times_ms: tuple[float, ...]

    def percentile_ms(self, percent: float) -> float:
        """The nearest-rank percentile."""
        rank = max(1, -(-len(self.times_ms) * percent // 100))
        return self.times_ms[int(rank) - 1]


def command(folder: str, writes: int = WRITES) -> Shellable:
    """Write to the file system of `folder` (or of the nearest folder above that is there)."""
    return Script.of(_PROGRAM, folder, WRITE_BYTES, writes)


def parse(output: str) -> DiskSync:
    """Raises ValueError where a line has no time, or there are none."""
    times = []
    for line in output.splitlines():
        match = _SECONDS.search(line)
        if match is None:
            raise ValueError(f"no time in {line!r}")
        times.append(float(match[1]) * 1000)
    if not times:
        raise ValueError("nothing was written")
    return DiskSync(tuple(sorted(times)))


def ask(folder: str, writes: int = WRITES) -> Asked[DiskSync]:
    """The question."""
    return Asked("disk sync", command(folder, writes), parse)
