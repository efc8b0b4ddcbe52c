"""Kernel modules: in the kernel (loaded or built in), loadable, or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields


class State(StrEnum):
    """Whether a module's feature is there now, could be loaded, or is not to be had."""

    PRESENT = "present"
    LOADABLE = "loadable"
    MISSING = "missing"


# Some built-in features have no folder under /sys/module; each of them shows itself elsewhere.
_PROGRAM = """
for module do
  name=$module
  case $module in *-*) name=$(printf %s "$module" | tr - _) ;; esac
  state=missing
  if [ -d "/sys/module/$name" ]; then state=present
  elif [ "$name" = br_netfilter ] && [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then state=present
  elif [ "$name" = nf_conntrack ] && [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then state=present
  elif grep -qs "/$module\\.ko" "/lib/modules/$(uname -r)/modules.builtin"; then state=present
  elif [ "$name" = overlay ] && grep -qsw overlay /proc/filesystems; then state=present
  elif [ "$name" = vxlan ] && grep -qs ' vxlan_rcv$\\| vxlan_setup$' /proc/kallsyms; then state=present
  elif modprobe -n -q "$module" 2>/dev/null; then state=loadable
  fi
  printf '%s\\t%s\\n' "$module" "$state"
done
"""


def command(names: Sequence[str]) -> Shellable:
    """Ask for these modules."""
    return Script.of(_PROGRAM, *names)


def parse(output: str) -> Mapping[str, State]:
    """Raises ValueError where a line is no module's state."""
    return {name: State(state) for name, state in (fields(line, 2) for line in output.splitlines())}


def ask(names: Sequence[str]) -> Asked[Mapping[str, State]]:
    """The question."""
    return Asked("kernel modules", command(names), parse)
