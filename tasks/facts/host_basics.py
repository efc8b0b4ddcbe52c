"""What any node must have before it is looked at closer: systemd, a name server, its name, a few programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# Each line is a key and a value. /proc/cgroups is the kernel's list under either version of cgroups; the last
# column says whether a controller is enabled.
_PROGRAM = """
printf 'init\\t%s\\n' "$(cat /proc/1/comm)"
sed -n 's/^nameserver[[:space:]]*/nameserver\\t/p' /etc/resolv.conf 2>/dev/null
printf 'hostname\\t%s\\n' "$(cat /proc/sys/kernel/hostname)"
getent ahostsv4 "$1" | awk '{ print "resolved\\t" $1 }' | sort -u
awk '!/^#/ && $4 == 1 { print "controller\\t" $1 }' /proc/cgroups
shift
for name do
  if found=$(command -v "$name"); then printf 'program\\t%s\\n' "$name"; fi
done
"""


@dataclass(frozen=True)
class Basics:
    """`resolved` are the addresses that the host itself finds for its declared name."""

    init: str
    hostname: str
    nameservers: tuple[str, ...]
    resolved: tuple[str, ...]
    controllers: frozenset[str]
    programs: frozenset[str]


def command(name: str, programs: Sequence[str]) -> Shellable:
    """Ask a host that is declared as `name`, and whether it has these programs."""
    return Script.of(_PROGRAM, name, *programs)


def parse(output: str) -> Basics:
    """Raises ValueError or KeyError where a line is no answer, or there is no init or host name."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, value = fields(line, 2)
        found.setdefault(key, []).append(value.strip())
    return Basics(
        found["init"][0],
        found["hostname"][0],
        tuple(found.get("nameserver", ())),
        tuple(found.get("resolved", ())),
        frozenset(found.get("controller", ())),
        frozenset(found.get("program", ())),
    )


def ask(name: str, programs: Sequence[str]) -> Asked[Basics]:
    """The question."""
    return Asked("what a node must have", command(name, programs), parse)
