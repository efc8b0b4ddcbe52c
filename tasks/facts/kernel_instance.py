"""Which running kernel a host has: what two hosts can only have in common where they share it.

The numbers of the first namespaces are the kernel's own constants (include/linux/proc_ns.h): a process with
another one lives in a namespace that somebody made.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked, fields

FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO
MANAGERS = ("lxc", "docker", "kubepods", "machine.slice", "nspawn", "libpod", "containerd")
_SAME_BOOT_S = 0.05  # both clocks are read by one shell; a busy host is put off between the two
_SAME_FORKS = 0.01  # hosts are asked within a second or two of each other

# bash's own clock and reads: with a program between them the two would be milliseconds apart.
_PROGRAM = """
read -r up _ < /proc/uptime; now=$EPOCHREALTIME
forks=$(sed -n 's/^processes //p' /proc/stat)
modules=no; [ -d "/lib/modules/$(uname -r)" ] && modules=yes
first=$(stat -Lc %i /proc/self/ns/pid 2>/dev/null); boot=$(cat /proc/sys/kernel/random/boot_id)
printf '%s\\t' "$boot" "$now" "$up" "$forks" "$(uname -r -v)" "$modules" "$first"
tr '\\n\\t' '  ' < /proc/1/cgroup | head -c 2000
"""


@dataclass(frozen=True)
class KernelInstance:
    """`booted_at` in seconds of the epoch; `pid_namespace` is None where the host does not show it."""

    boot_id: str
    booted_at: float
    forks: int
    kernel: str
    has_modules: bool
    pid_namespace: int | None
    init_cgroup: str

    def container_signs(self) -> tuple[str, ...]:
        """Every sign that PID 1 is not the kernel's first process, in words."""
        found = []
        if self.pid_namespace not in (None, FIRST_PID_NAMESPACE):
            found.append(
                f"its PID namespace is {self.pid_namespace}, the kernel's first is {FIRST_PID_NAMESPACE}"
            )
        manager = next((name for name in MANAGERS if name in self.init_cgroup), "")
        if manager:
            found.append(f"/proc/1/cgroup names {manager}")
        return tuple(found)

    def shares_boot_id(self, other: KernelInstance) -> bool:
        """The same boot of the same kernel; a container manager may hand out another id to each."""
        return self.boot_id == other.boot_id

    def looks_like(self, other: KernelInstance) -> bool:
        """The same kernel, booted at the same instant, that has started as many processes since."""
        forks = abs(self.forks - other.forks) <= _SAME_FORKS * max(self.forks, other.forks)
        boot = abs(self.booted_at - other.booted_at) <= _SAME_BOOT_S
        return forks and boot and self.kernel == other.kernel


def command() -> Shellable:
    """Ask for all of it."""
    return Command.of("bash", "-c", _PROGRAM)


def parse(output: str) -> KernelInstance:
    """Raises ValueError where a part is missing or no number."""
    boot_id, now, up, forks, kernel, modules, namespace, cgroup = fields(output.rstrip("\n"), 8)
    if len(boot_id) != 36 or modules not in ("yes", "no"):
        raise ValueError(f"no boot id or no answer about modules: {boot_id!r}, {modules!r}")
    return KernelInstance(
        boot_id,
        float(now) - float(up),
        int(forks),
        kernel,
        modules == "yes",
        int(namespace) if namespace else None,
        cgroup.strip(),
    )


def ask() -> Asked[KernelInstance]:
    """The question."""
    return Asked("kernel instance", command(), parse)
