"""A network card's interrupts: which processors serve them, and how many came so far."""

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
  for file in "/proc/irq/$irq/effective_affinity_list" "/proc/irq/$irq/smp_affinity_list"; do
    [ -r "$file" ] && break
  done
  [ -r "$file" ] || continue
  row=$(grep "^ *$irq:" /proc/interrupts)
  count=$(echo "$row" | awk '{for (n = 2; $n ~ /^[0-9]+$/; n++) sum += $n} END {print sum + 0}')
  printf '%s\\t%s\\t%s\\t%s\\n' "$irq" "$(cat "$file")" "$count" "${row##* }"
done
exit 0
"""


@dataclass(frozen=True)
class Interrupt:
    """`processors` as the kernel lists them (`0`, `0-3,7`); `name` is the driver's."""

    number: int
    processors: str
    count: int
    name: str


def command(interface: str) -> Shellable:
    """Ask for all of them. Fails where there is no such interface."""
    return Script.of(_PROGRAM, interface)


def parse(output: str) -> Sequence[Interrupt]:
    """Raises ValueError where a line is no interrupt's."""
    rows = (fields(line, 4) for line in output.splitlines())
    return tuple(
        Interrupt(int(number), processors, int(count), name) for number, processors, count, name in rows
    )


def ask(interface: str) -> Asked[Sequence[Interrupt]]:
    """The question."""
    return Asked(f"interrupts of {interface}", command(interface), parse)
