"""What a host runs on, by several independent signs: no single one is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

_PROGRAM = """
say() { printf '%s\\t%s\\n' "$1" "$2"; }
one() {
  line=; if [ -r "$2" ]; then IFS= read -r line < "$2" || true; fi
  printf '%s\\t%.200s\\n' "$1" "$line"
}
yes() { sign=$1; shift; if "$@" 2>/dev/null; then say "$sign" yes; else say "$sign" no; fi; }
say detect_vm "$(systemd-detect-virt --vm 2>/dev/null || true)"
say detect_container "$(systemd-detect-virt --container 2>/dev/null || true)"
name=; if [ -r /proc/2/comm ]; then IFS= read -r name < /proc/2/comm || true; fi
yes kthreadd [ "$name" = kthreadd ]
one container_file /run/systemd/container
say init_environment "$(tr '\\0' '\\n' < /proc/1/environ 2>/dev/null | sed -n '/^container=/{s///p;q}')"
yes openvz [ -e /proc/user_beancounters -o -d /proc/vz ]
yes vzhost [ -d /proc/bc ]
yes dockerenv [ -e /.dockerenv -o -e /run/.containerenv ]
one uid_map /proc/1/uid_map
one dmi_vendor /sys/class/dmi/id/sys_vendor
one dmi_product /sys/class/dmi/id/product_name
yes hypervisor_flag grep -qwm1 hypervisor /proc/cpuinfo
one clocksources /sys/devices/system/clocksource/clocksource0/available_clocksource
one xen /sys/hypervisor/type
"""


@dataclass(frozen=True)
class Virtualization:
    """The signs as they were seen, by name (see the program of this file)."""

    signs: Mapping[str, str]

    @property
    def container_signs(self) -> tuple[str, ...]:
        """Every sign that this is a container, in words; empty for a machine with a kernel of its own."""
        found = []
        named = self.signs["detect_container"]
        if named not in ("", "none"):
            found.append(f"systemd-detect-virt says {named}")
        if self.signs["kthreadd"] == "no":
            found.append("PID 2 is not kthreadd: the kernel is not its own")
        for sign, where in (("container_file", "/run/systemd/container"), ("init_environment", "PID 1")):
            if self.signs[sign].strip():
                found.append(f"{where} names the container manager {self.signs[sign].strip()}")
        if self.signs["openvz"] == "yes" and self.signs["vzhost"] == "no":
            found.append("/proc/vz without /proc/bc: an OpenVZ container")
        if self.signs["dockerenv"] == "yes":
            found.append("/.dockerenv or /run/.containerenv exists")
        if self.signs["uid_map"].split() != ["0", "0", "4294967295"]:
            found.append(f"user ids are mapped: {self.signs['uid_map'].strip()}")
        return tuple(found)

    @property
    def kvm_signs(self) -> tuple[str, ...]:
        """Every sign of KVM, in words."""
        found = []
        if self.signs["detect_vm"] in ("kvm", "amazon"):
            found.append(f"systemd-detect-virt says {self.signs['detect_vm']}")
        if "kvm-clock" in self.signs["clocksources"].split():
            found.append("the kernel offers kvm-clock")
        hardware = f"{self.signs['dmi_vendor']} {self.signs['dmi_product']}".lower()
        if "kvm" in hardware or "qemu" in hardware:
            found.append(f"DMI says {hardware.strip()}")
        return tuple(found)


def command() -> Shellable:
    """Ask for every sign."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Virtualization:
    """Raises ValueError where a line is no sign, KeyError where one is missing."""
    signs = {name: value.strip() for name, value in (fields(line, 2) for line in output.splitlines())}
    found = Virtualization(signs)
    _ = (found.container_signs, found.kvm_signs)  # every sign is there
    return found


def ask() -> Asked[Virtualization]:
    """The question."""
    return Asked("virtualization", command(), parse)
