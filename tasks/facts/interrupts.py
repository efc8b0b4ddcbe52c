"""A network card's interrupts: which processors may and do serve them, and how many came so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# A virtio device hangs below the PCI device that has the interrupts; a virtual interface has none.
_PROGRAM = """
device=/sys/class/net/$1/device
[ -e "/sys/class/net/$1" ] || { echo "there is no interface $1" >&2; exit 1; }
for folder in "$device/msi_irqs" "$(readlink -f "$device")/../msi_irqs"; do
  [ -d "$folder" ] && break
done
for irq in $(ls "$folder" 2>/dev/null); do
  file=/proc/irq/$irq/smp_affinity_list
  [ -r "$file" ] || continue
  allowed=$(cat "$file") served=$(cat "/proc/irq/$irq/effective_affinity_list" 2>/dev/null)
  access=ro  # root passes over a missing mode bit, by which the kernel shows what it keeps to itself
  case $(stat -c %A "$file") in ??w*) [ -w "$file" ] && access=rw ;; esac
  row=$(grep "^ *$irq:" /proc/interrupts)
  count=$(echo "$row" | awk '{for (n = 2; $n ~ /^[0-9]+$/; n++) sum += $n} END {print sum + 0}')
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$irq" "${served:-$allowed}" "$count" "${row##* }" \\
    "$allowed" $access
done
exit 0
"""


@dataclass(frozen=True)
class Interrupt:
    """`processors` serve it, of the `allowed` ones, both as the kernel lists them (`0`, `0-3,7`).

    `name` is the driver's, empty where it has not asked for it yet; `settable`: `allowed` may change.
    """

    number: int
    processors: str
    count: int
    name: str
    allowed: str
    settable: bool


def command(interface: str) -> Shellable:
    """Ask for all of them. Fails where there is no such interface."""
    return Script.of(_PROGRAM, interface)


def parse(output: str) -> Sequence[Interrupt]:
    """Raises ValueError where a line is no interrupt's."""
    rows = (fields(line, 6) for line in output.splitlines())
    return tuple(
        Interrupt(int(number), processors, int(count), name, allowed, access == "rw")
        for number, processors, count, name, allowed, access in rows
    )


def ask(interface: str) -> Asked[Sequence[Interrupt]]:
    """The question."""
    return Asked(f"interrupts of {interface}", command(interface), parse)
