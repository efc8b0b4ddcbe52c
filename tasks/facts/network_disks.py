"""Block devices of a host, and which of them another machine serves over the network.

sysfs says whom the kernel asks: iSCSI sessions, NVMe over fabrics, RBD. Of NBD and DRBD it keeps no address.
What a hypervisor hands a guest as a disk of its own looks local here, wherever the hypervisor keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

_PROGRAM = """
[ -d /sys/block ] || exit 0
echo seen
for disk in /sys/block/*; do
  name=${disk##*/}
  size=$(cat "$disk/size" 2>/dev/null) || continue
  case $size in 0|'') continue ;; esac
  case $name in
    ram*|zram*|loop*) ;;
    nbd*|drbd*) printf 'served\\t%s\\t%s\\t\\n' "${name%%[0-9]*}" "$name" ;;
    *) printf 'disk\\t%s\\n' "$name" ;;
  esac
done
for link in /sys/class/iscsi_connection/*; do
  [ -r "$link/persistent_address" ] || continue
  printf 'served\\tiscsi\\t%s\\t%s\\n' "${link##*/}" "$(cat "$link/persistent_address")"
done
for controller in /sys/class/nvme/*; do
  [ -r "$controller/transport" ] || continue
  transport=$(cat "$controller/transport")
  case $transport in pcie|loop) continue ;; esac
  printf 'served\\tnvme-%s\\t%s\\t%s\\n' "$transport" "${controller##*/}" "$(cat "$controller/address")"
done
for image in /sys/bus/rbd/devices/*; do
  [ -r "$image/config_info" ] || continue
  read -r monitors rest < "$image/config_info"
  printf 'served\\trbd\\trbd%s\\t%s\\n' "${image##*/}" "$monitors"
done
"""


@dataclass(frozen=True, order=True)
class Served:
    """A device that another machine serves; `servers` are its addresses, none where they cannot be seen."""

    kind: str
    device: str
    servers: tuple[str, ...]


@dataclass(frozen=True)
class Disks:
    """Names of the devices that are the host's own, and those that are served to it."""

    local: tuple[str, ...]
    served: tuple[Served, ...]


def command() -> Shellable:
    """Ask sysfs."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Disks:
    """Raises ValueError where sysfs was not there, or a line is no device's."""
    first, *lines = output.splitlines() or [""]
    if first != "seen":
        raise ValueError("the host shows no /sys/block")
    local, served = [], []
    for line in lines:
        kind, _, rest = line.partition("\t")
        if kind == "disk":
            local.append(rest)
        elif kind == "served":
            what, device, place = fields(rest, 3)
            served.append(Served(what, device, _servers(what, place)))
        else:
            raise ValueError(f"neither disk nor served: {line!r}")
    return Disks(tuple(sorted(local)), tuple(sorted(served)))


def ask() -> Asked[Disks]:
    """The question."""
    return Asked("disks", command(), parse)


def _servers(kind: str, place: str) -> tuple[str, ...]:
    """NVMe names `traddr=ADDRESS,trsvcid=PORT`; RBD its monitors `ADDRESS:PORT,...`, some with v1: or v2:."""
    if kind.startswith("nvme-"):
        words = dict(each.partition("=")[::2] for each in place.split(","))
        return tuple(filter(None, (words.get("traddr", ""),)))
    if kind == "rbd":
        monitors = (each.strip("[]").removeprefix("v1:").removeprefix("v2:") for each in place.split(","))
        return tuple(dict.fromkeys(each.partition(":")[0] for each in monitors if each))
    return (place,) if place else ()
