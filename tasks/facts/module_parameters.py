"""Parameters of kernel modules in /sys/module: value, and whether this host may set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.command import Script, Shellable
from tasks.facts import sysctl
from tasks.facts.asked import Asked

# A module that is not loaded has no parameters here: missing, as for a sysctl.
_PROGRAM = """
for name do
  file=/sys/module/${name%%.*}/parameters/${name#*.}
  if [ -e "$file" ]; then
    access=ro; [ -w "$file" ] && access=rw
    printf '%s\\t%s\\t%s\\n' "$name" "$access" "$(tr '\\t' ' ' < "$file")"
  else
    printf '%s\\tmissing\\t\\n' "$name"
  fi
done
"""


def command(names: Sequence[str]) -> Shellable:
    """Ask for these parameters, as `module.option`."""
    return Script.of(_PROGRAM, *names)


def ask(names: Sequence[str]) -> Asked[Mapping[str, sysctl.Setting]]:
    """The question."""
    return Asked("module parameters", command(names), sysctl.parse)
