"""Simulated KVM hosts: nspawn nodes with a bridge and libvirtd, reached as any other by qemu+ssh.

Their machines are real QEMU guests with kernels of their own: by KVM where a bounded trial shows that it
works here, else emulated (TCG), several times slower.
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

from rehearsal import netns, nodes
from rehearsal.plan import Machine, Plan
from rehearsal.state import State

BRIDGE = "br0"
_KVM = Path("/dev/kvm")
_TUN = Path("/dev/net/tun")
_TRIAL_S = 10.0
# A boot sector that counts to 10^8, then writes 0x10 to QEMU's isa-debug-exit at port 0xf4: QEMU then ends
# with (0x10 << 1) | 1. A processor does it in a tenth of a second; a KVM that itself interprets every
# instruction (it starts a machine, and takes minutes to unpack its kernel) is not through in time.
_BOOT_SECTOR = bytes.fromhex("66b900e1f505 6649 75fc b010 e6f4 f4").ljust(510, b"\0") + b"\x55\xaa"
_ENDED_BY_GUEST = 33

# A container has no right to make cgroups and namespaces for its machines, and no account for them.
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
"""


def boot(plan: Plan, state: State) -> None:
    """Boot the plan's KVM hosts. Raises HostUnreachable where one does not come up."""
    devices = [_TUN, *([_KVM] if accelerator() == "kvm" else [])]

    def furnish(machine: Machine, root: Path) -> None:
        _bridge(plan, machine)
        _libvirt(root)

    nodes.boot(plan, state, plan.kvm_hosts, furnish=furnish, devices=devices)


@cache
def accelerator() -> Literal["kvm", "qemu"]:
    """`kvm` where a machine really runs by it within 10 s; /dev/kvm can be there and hang, or crawl."""
    if not _KVM.exists():
        return "qemu"
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(_BOOT_SECTOR)
        disk.flush()
        argv = [
            *("qemu-system-x86_64", "-accel", "kvm", "-nodefaults", "-display", "none", "-no-reboot"),
            *(
                "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4",
                "-drive",
                f"file={disk.name},format=raw,if=ide,snapshot=on",
            ),
        ]
        try:
            done = subprocess.run(argv, capture_output=True, check=False, timeout=_TRIAL_S)
        except (OSError, subprocess.TimeoutExpired):
            return "qemu"
    return "kvm" if done.returncode == _ENDED_BY_GUEST else "qemu"


def _bridge(plan: Plan, machine: Machine) -> None:
    """The host's address moves to a bridge, which its machines' cards join."""
    lines = [
        f"link add {BRIDGE} type bridge forward_delay 0",
        f"link set eth0 master {BRIDGE}",
        "addr flush dev eth0",
        f"addr add {machine.address}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        f"route replace default via {plan.oslo_gateway}",
    ]
    netns.ip(netns=machine.netns, batch="\n".join(lines))
    for family in ("iptables", "ip6tables", "arptables"):
        netns.sysctl(machine.netns, f"net/bridge/bridge-nf-call-{family}", "0")


def _libvirt(root: Path) -> None:
    etc = root / "etc"
    (etc / "libvirt/qemu.conf").write_text(_QEMU_CONF)
    (etc / "libvirt/qemu/networks/autostart/default.xml").unlink(missing_ok=True)
    wants = etc / "systemd/system/multi-user.target.wants"
    (wants / "libvirtd.service").symlink_to("/lib/systemd/system/libvirtd.service")
