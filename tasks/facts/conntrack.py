"""The connection-tracking table: its size, what is in it, and what it refused.

The counters of /proc/net/stat/nf_conntrack are this network namespace's own, one row a processor, in
hexadecimal (net/netfilter/nf_conntrack_standalone.c); listing the table itself would be a load.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
for name in nf_conntrack_max nf_conntrack_count; do
  file=/proc/sys/net/netfilter/$name
  if [ -r "$file" ]; then printf '%s %s\\n' "$name" "$(cat "$file")"; fi
done
printf 'cores %s\\n' "$(getconf _NPROCESSORS_ONLN)"
if [ -r /proc/net/stat/nf_conntrack ]; then cat /proc/net/stat/nf_conntrack; fi
"""
REFUSALS = ("insert_failed", "drop", "early_drop")


@dataclass(frozen=True)
class Conntrack:
    """`max` and `count` are None where the host does not show them; `refused` sums the refusing counters."""

    max: int | None
    count: int | None
    cores: int
    refused: dict[str, int] | None

    @property
    def wanted_max(self) -> int:
        """kube-proxy's own default: max(32768 a core, 131072)."""
        return max(32768 * self.cores, 131072)


def command() -> Shellable:
    """Ask for all of it."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Conntrack:
    """Raises ValueError or KeyError where a row has another number of columns than its head."""
    values: dict[str, int] = {}
    columns: list[str] = []
    sums: dict[str, int] = {}
    for line in output.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("nf_conntrack_max", "nf_conntrack_count", "cores"):
            values[words[0]] = int(words[1])
        elif words[0] == "entries":
            columns = words
        else:
            for name, value in zip(columns, words, strict=True):
                sums[name] = sums.get(name, 0) + int(value, 16)
    return Conntrack(
        values.get("nf_conntrack_max"),
        values.get("nf_conntrack_count"),
        values["cores"],
        {name: sums[name] for name in REFUSALS} if columns else None,
    )


def ask() -> Asked[Conntrack]:
    """The question."""
    return Asked("conntrack", command(), parse)
