"""What a KVM host has, in libvirt's own words: capacity, machines, a storage pool, a network.

The commands are virsh's, run here against the host (`tasks/drivers/libvirt.py`). XML of libvirt 9.0; its
parser limits entity expansion by itself (expat 2.4.1 and later).
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from inventory.models.command import Script
from tasks.facts.asked import Asked

MARK_URI = "https://safe-harbor.example/machine/v1"  # the namespace of our mark in a domain's metadata
VOLUME_PREFIX = "safe-harbor-"
_HUGE_KIB = 2048
_HUGE_PAGES = f"host/topology/cells/cell/pages[@size='{_HUGE_KIB}']"
_UNITS = {"b": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

_CAPACITY = "set -eu; virsh capabilities; virsh freepages --all"
_DOMAINS = """
set -eu
echo '<domains>'
for id in $(virsh list --all --uuid); do virsh dumpxml --inactive "$id"; done
for id in $(virsh list --uuid); do echo "<active>$id</active>"; done
echo '</domains>'
"""
# $1 the pool. Volumes of ours with their backing files, of all others the name only.
_POOL = """
set -eu
echo '<found>'
if virsh pool-list --all --name | tr -d ' ' | grep -qxF -- "$1"; then
  virsh pool-dumpxml "$1"
  if virsh pool-list --name | tr -d ' ' | grep -qxF -- "$1"; then
    echo '<active/>'
    virsh pool-refresh "$1" > /dev/null
    virsh vol-list "$1" | sed -n 's/^ *\\(safe-harbor-[A-Za-z0-9._-]*\\) .*/\\1/p' | while read -r name; do
      virsh vol-dumpxml --pool "$1" "$name"
    done
  fi
fi
echo '</found>'
"""
_NETWORK = """
set -eu
echo '<found>'
if virsh net-list --all --name | tr -d ' ' | grep -qxF -- "$1"; then
  virsh net-dumpxml --inactive "$1"
  if virsh net-list --name | tr -d ' ' | grep -qxF -- "$1"; then echo '<active/>'; fi
fi
echo '</found>'
"""


@dataclass(frozen=True)
class Capacity:
    """A host's size. `accelerators` are the kinds of x86_64 machine that it can run: `kvm`, `qemu`."""

    cpus: int
    memory_mib: int
    huge_total: int  # pages of 2 MiB that are set aside
    huge_free: int  # ... and not in use
    accelerators: frozenset[str]


@dataclass(frozen=True)
class Mark:
    """Our mark in a machine's metadata: whose it is, what it was made as, and the volumes made with it."""

    site: str
    node: str
    definition: str  # SHA-256 of the XML that it was made of
    volumes: tuple[tuple[str, str], ...]  # (pool, name)


@dataclass(frozen=True)
class Domain:
    """A machine that libvirt knows. `mark` is None for one that we did not make."""

    name: str
    uuid: str
    vcpus: int
    memory_mib: int
    hugepages: bool
    active: bool
    mark: Mark | None


@dataclass(frozen=True)
class Volume:
    """A volume with our prefix; `backing` is the path of the image that it stands on, or empty."""

    name: str
    path: str
    capacity_bytes: int
    allocation_bytes: int
    backing: str


@dataclass(frozen=True)
class PoolFact:
    """A storage pool; `available_bytes` is 0 while it is not active."""

    active: bool
    kind: str
    path: str
    available_bytes: int
    volumes: tuple[Volume, ...] = ()

    def volume(self, name: str) -> Volume | None:
        """The volume of that name, or None."""
        return next((volume for volume in self.volumes if volume.name == name), None)


@dataclass(frozen=True)
class NetworkFact:
    """A libvirt network; `bridge` is the bridge of the host that it leads onto."""

    active: bool
    forward: str
    bridge: str


def capacity() -> Asked[Capacity]:
    """How large the host is, and what it can run."""
    return Asked("capacity", Script.of(_CAPACITY), parse_capacity)


def domains() -> Asked[tuple[Domain, ...]]:
    """Every machine on the host, running or not."""
    return Asked("machines", Script.of(_DOMAINS), parse_domains)


def pool(name: str) -> Asked[PoolFact | None]:
    """The storage pool, or None."""
    return Asked(f"pool {name}", Script.of(_POOL, name), parse_pool)


def network(name: str) -> Asked[NetworkFact | None]:
    """The network, or None."""
    return Asked(f"network {name}", Script.of(_NETWORK, name), parse_network)


def parse_capacity(text: str) -> Capacity:
    """Raises ValueError where it is not what libvirt prints."""
    xml, end, pages = text.partition("</capabilities>")
    root = _tree(xml + end)
    cells = root.findall("host/topology/cells/cell")
    free = sum(int(line.split()[1]) for line in pages.splitlines() if line.startswith(f"{_HUGE_KIB}KiB:"))
    arches = (guest.find("arch[@name='x86_64']") for guest in root.findall("guest"))
    kinds = {each.get("type", "") for arch in arches if arch is not None for each in arch.findall("domain")}
    return Capacity(
        cpus=sum(int(_of(cell, "cpus").get("num", "")) for cell in cells),
        memory_mib=sum(_bytes(_of(cell, "memory"), "KiB") for cell in cells) >> 20,
        huge_total=sum(int(each.text or "") for each in root.findall(_HUGE_PAGES)),
        huge_free=free,
        accelerators=frozenset(kinds & {"kvm", "qemu"}),
    )


def parse_domains(text: str) -> tuple[Domain, ...]:
    """Raises ValueError where it is not what libvirt prints."""
    root = _tree(text)
    active = {(each.text or "").strip() for each in root.findall("active")}
    return tuple(_domain(each, active) for each in root.findall("domain"))


def parse_pool(text: str) -> PoolFact | None:
    """Raises ValueError where it is not what libvirt prints."""
    root = _tree(text)
    found = root.find("pool")
    if found is None:
        return None
    return PoolFact(
        active=root.find("active") is not None,
        kind=found.get("type", ""),
        path=found.findtext("target/path", ""),
        available_bytes=_bytes(_of(found, "available"), "bytes"),
        volumes=tuple(_volume(each) for each in root.findall("volume")),
    )


def parse_network(text: str) -> NetworkFact | None:
    """Raises ValueError where it is not what libvirt prints."""
    root = _tree(text)
    found = root.find("network")
    if found is None:
        return None
    forward, bridge = found.find("forward"), found.find("bridge")
    return NetworkFact(
        active=root.find("active") is not None,
        forward="" if forward is None else forward.get("mode", "nat"),
        bridge="" if bridge is None else bridge.get("name", ""),
    )


def _domain(found: Element, active: set[str]) -> Domain:
    uuid = found.findtext("uuid", "")
    mark = found.find(f"metadata/{{{MARK_URI}}}machine")
    return Domain(
        name=found.findtext("name", ""),
        uuid=uuid,
        vcpus=int(found.findtext("vcpu", "")),
        memory_mib=_bytes(_of(found, "memory"), "KiB") >> 20,
        hugepages=found.find("memoryBacking/hugepages") is not None,
        active=uuid in active,
        mark=None if mark is None else _mark(mark),
    )


def _mark(found: Element) -> Mark:
    volumes = found.findall(f"{{{MARK_URI}}}volume")
    return Mark(
        site=found.get("site", ""),
        node=found.get("node", ""),
        definition=found.get("definition", ""),
        volumes=tuple((each.get("pool", ""), each.get("name", "")) for each in volumes),
    )


def _volume(found: Element) -> Volume:
    return Volume(
        name=found.findtext("name", ""),
        path=found.findtext("target/path", ""),
        capacity_bytes=_bytes(_of(found, "capacity"), "bytes"),
        allocation_bytes=_bytes(_of(found, "allocation"), "bytes"),
        backing=found.findtext("backingStore/path", ""),
    )


def _tree(text: str) -> Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - expat bounds the expansion of entities
    except ElementTree.ParseError as error:
        raise ValueError(f"not libvirt's XML: {error}") from None


def _of(parent: Element, path: str) -> Element:
    found = parent.find(path)
    if found is None:
        raise ValueError(f"<{parent.tag}> has no <{path}>")
    return found


def _bytes(found: Element, usual: str) -> int:
    unit = found.get("unit", usual)
    if unit not in _UNITS:
        raise ValueError(f"<{found.tag}> is in {unit!r}")
    return int(found.text or "") * _UNITS[unit]
