"""A network interface's rings, channels, features and receive packet steering, and who may change them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# ethtool is installed later than this may be asked, and a driver that has no rings or channels says so on
# stderr: an empty part is "not there".
_PROGRAM = """
[ -e "/sys/class/net/$1" ] || { echo "there is no interface $1" >&2; exit 1; }
echo "@mac $(cat "/sys/class/net/$1/address")"
if [ -S /run/udev/control ]; then echo "@udev yes"; else echo "@udev no"; fi
for file in /sys/class/net/"$1"/queues/rx-*/rps_cpus; do
  [ -e "$file" ] || continue
  access=ro; [ -w "$file" ] && access=rw
  echo "@rps $(basename "$(dirname "$file")") $access $(cat "$file")"
done
if command -v ethtool >/dev/null; then
  for part in g l k; do echo "@$part"; ethtool "-$part" "$1" 2>/dev/null; done
else echo "@none"
fi
exit 0
"""
_RINGS = {"RX": "ring-rx", "TX": "ring-tx"}


@dataclass(frozen=True)
class LinkSettings:
    """What an interface has now. `tool`: ethtool is there to ask and to set.

    `sized` maps `ring-rx`, `ring-tx` and `channels-combined` to (now, most); `features` maps names to
    (on, changeable); `rps` maps receive queues to (mask as the kernel writes it, writable).
    """

    interface: str
    mac: str
    udev: bool
    tool: bool
    sized: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    features: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    rps: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


def command(interface: str) -> Shellable:
    """Ask for all of it. Fails where there is no such interface."""
    return Script.of(_PROGRAM, interface)


def parse(interface: str, output: str) -> LinkSettings:
    """Raises ValueError or KeyError where a part is missing."""
    said: dict[str, str] = {}
    rps: dict[str, tuple[str, bool]] = {}
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in output.splitlines():
        if not line.startswith("@"):
            if current is not None:
                current.append(line)
            continue
        name, _, rest = line[1:].partition(" ")
        if name == "rps":
            queue, access, mask = rest.split()
            rps[queue] = (mask, access == "rw")
        elif rest:
            said[name] = rest
        else:
            current = parts.setdefault(name, [])
    sized = _sized(parts.get("g", []), _RINGS) | _sized(parts.get("l", []), {"Combined": "channels-combined"})
    features = dict(_features(parts.get("k", [])))
    return LinkSettings(
        interface, said["mac"], said["udev"] == "yes", "none" not in parts, sized, features, rps
    )


def _sized(lines: list[str], names: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """`Pre-set maximums:`, then `Current hardware settings:`; `n/a` is what the driver does not have."""
    most: dict[str, int] = {}
    now: dict[str, int] = {}
    into = most
    for line in lines:
        if line.startswith("Current hardware settings"):
            into = now
        label, _, value = line.partition(":")
        if label in names and value.strip().isdecimal():
            into[names[label]] = int(value)
    return {name: (now[name], most[name]) for name in now if most.get(name)}


def _features(lines: list[str]) -> list[tuple[str, tuple[bool, bool]]]:
    found = []
    for line in lines:
        if match := re.fullmatch(r"\s*([a-z0-9-]+): (on|off)( \[.*\])?", line):
            found.append((match[1], (match[2] == "on", "fixed" not in (match[3] or ""))))
    return found


def ask(interface: str) -> Asked[LinkSettings]:
    """The question."""
    return Asked(f"settings of {interface}", command(interface), lambda output: parse(interface, output))
