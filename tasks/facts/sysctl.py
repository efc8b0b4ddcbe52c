"""Kernel settings: value, and whether this host may set them.

A setting can be missing (its module is not loaded, or it exists only in the initial network namespace) or
read-only (a container, or the initial network namespace only): access(2) tells both apart, even for root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# One process for all keys: twenty hosts that share processors feel each of them. The shell's own `read` will
# not do, it reads byte by byte, and the kernel gives a value to the first read alone.
_PROGRAM = """
set -f
for key do
  IFS=.; set -- $key; IFS=/; file="/proc/sys/$*"; unset IFS
  if [ -e "$file" ]; then
    access=ro; [ -w "$file" ] && access=rw
    printf '%s\\t%s\\t%s\\n' "$key" "$access" "$file"
  else
    printf '%s\\tmissing\\t\\n' "$key"
  fi
done | awk -F '\\t' '{
  value = ""
  if ($3 != "") {
    while ((getline line < $3) > 0) value = value (value == "" ? "" : " ") line
    close($3)
  }
  printf "%s\\t%s\\t%s\\n", $1, $2, value
}'
"""


@dataclass(frozen=True)
class Setting:
    """`value` is None where the setting does not exist; several numbers are parted by one space."""

    key: str
    value: str | None
    writable: bool

    @property
    def number(self) -> int | None:
        """The value as a number, None where it is missing. Raises ValueError where it is none."""
        return None if self.value is None else int(self.value)


def command(keys: Sequence[str]) -> Shellable:
    """Ask for these settings, in dotted names."""
    return Script.of(_PROGRAM, *keys)


def parse(output: str) -> Mapping[str, Setting]:
    """Raises ValueError where a line is no setting."""
    found: dict[str, Setting] = {}
    for line in output.splitlines():
        key, access, *values = line.split("\t")
        if access not in ("ro", "rw", "missing") or not values:
            raise ValueError(f"not a setting: {line!r}")
        missing = access == "missing"
        found[key] = Setting(key, None if missing else " ".join(" ".join(values).split()), access == "rw")
    return found


def ask(keys: Sequence[str]) -> Asked[Mapping[str, Setting]]:
    """The question."""
    return Asked("sysctl", command(keys), parse)
