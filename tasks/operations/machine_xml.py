"""libvirt's XML of what we make: a machine, its volumes, the pool and the network that they need.

Elements are built, never put together as text: no value of a site file can become markup. Format:
libvirt 9.0, https://libvirt.org/format.html.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from inventory.models.cluster import Node
from inventory.models.machines import Kvm, KvmHost, KvmNetwork, Machine, Pool
from tasks.facts.libvirt import MARK_URI, VOLUME_PREFIX

ElementTree.register_namespace("safe-harbor", MARK_URI)
_QEMU_OUI = "52:54:00"  # locally administered; what libvirt itself gives out


@dataclass(frozen=True)
class Named:
    """The names of one machine of a site; all are the same in every run."""

    site: str
    node: str

    @property
    def domain(self) -> str:
        """The machine's name in libvirt."""
        return f"{self.site}-{self.node}"

    @property
    def disk(self) -> str:
        """The volume that the machine boots from."""
        return f"{VOLUME_PREFIX}{self.site}-{self.node}.qcow2"

    @property
    def seed(self) -> str:
        """The volume with what cloud-init reads at the first boot."""
        return f"{VOLUME_PREFIX}{self.site}-{self.node}-seed.iso"

    @property
    def uuid(self) -> str:
        """Its UUID (version 5)."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{MARK_URI}/{self.site}/{self.node}"))

    @property
    def mac(self) -> str:
        """The address of its network card."""
        digest = hashlib.sha256(self.uuid.encode()).hexdigest()
        return f"{_QEMU_OUI}:{digest[:2]}:{digest[2:4]}:{digest[4:6]}"


def image_volume(kvm: Kvm) -> str:
    """The name of the image's volume: it holds the digest, so that another image never takes its place."""
    return f"{VOLUME_PREFIX}image-{kvm.image.sha256[:16]}.{kvm.image.format}"


def domain(site: str, kvm: Kvm, host: KvmHost, machine: Machine, node: Node) -> tuple[str, str]:
    """The machine's XML with our mark in it, and the SHA-256 (hex) of the XML without the mark."""
    named = Named(site, node.name)
    root = Element("domain", type=host.accelerator)
    _text(root, "name", named.domain)
    _text(root, "uuid", named.uuid)
    metadata = SubElement(root, "metadata")
    _text(root, "memory", machine.memory_mib, unit="MiB")
    if machine.hugepages:
        SubElement(SubElement(SubElement(root, "memoryBacking"), "hugepages"), "page", size="2", unit="MiB")
    _text(root, "vcpu", machine.vcpus, placement="static")
    if machine.io_threads:
        _text(root, "iothreads", machine.io_threads)
    system = SubElement(root, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="q35")
    SubElement(system, "boot", dev="hd")
    features = SubElement(root, "features")
    SubElement(features, "acpi")
    SubElement(features, "apic")
    root.append(_cpu(machine))
    SubElement(root, "clock", offset="utc")
    root.append(_devices(named, kvm, host, machine))
    definition = hashlib.sha256(_rendered(root).encode()).hexdigest()
    mark = SubElement(metadata, f"{{{MARK_URI}}}machine", site=site, node=node.name, definition=definition)
    for name in (named.disk, named.seed):
        SubElement(mark, f"{{{MARK_URI}}}volume", pool=kvm.pool.name, name=name)
    return _rendered(root), definition


def _cpu(machine: Machine) -> Element:
    if machine.cpu_model in ("host-passthrough", "host-model"):
        return Element("cpu", mode=machine.cpu_model)
    cpu = Element("cpu", mode="custom", match="exact", check="none")
    _text(cpu, "model", machine.cpu_model, fallback="forbid")
    return cpu


def _devices(named: Named, kvm: Kvm, host: KvmHost, machine: Machine) -> Element:
    devices = Element("devices")
    queues = {"queues": str(machine.queue_count)}
    driver = {"name": "qemu", "type": "qcow2", "cache": machine.disk_cache, "io": machine.disk_io}
    driver |= {"discard": "unmap", **queues}
    if machine.io_threads:
        driver["iothread"] = "1"
    disk = SubElement(devices, "disk", type="volume", device="disk")
    SubElement(disk, "driver", driver)
    SubElement(disk, "source", pool=kvm.pool.name, volume=named.disk)
    SubElement(disk, "target", dev="vda", bus="virtio")
    # No CD-ROM: kernels made for clouds have no driver for its controller, and every one has virtio's.
    seed = SubElement(devices, "disk", type="volume", device="disk")
    SubElement(seed, "driver", name="qemu", type="raw")
    SubElement(seed, "source", pool=kvm.pool.name, volume=named.seed)
    SubElement(seed, "target", dev="vdb", bus="virtio")
    SubElement(seed, "readonly")
    card = SubElement(devices, "interface", type="network")
    SubElement(card, "mac", address=named.mac)
    SubElement(card, "source", network=kvm.network.name)
    SubElement(card, "model", type="virtio")
    # By KVM libvirt takes the kernel's vhost where the host has it; an emulated machine has no use for it.
    SubElement(card, "driver", queues if host.accelerator == "kvm" else {"name": "qemu", **queues})
    SubElement(card, "rom", enabled="no")  # it never boots from the network
    console = SubElement(devices, "console", type="pty")
    SubElement(console, "target", type="serial", port="0")
    random = SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    SubElement(devices, "memballoon", model="none")  # memory that may be taken away is none to plan with
    return devices


def volume(name: str, capacity: int, *, unit: str, kind: str, on: str = "", on_kind: str = "") -> str:
    """A volume's XML; with `on`, the path of the image that it stands on, it holds differences only."""
    root = Element("volume")
    _text(root, "name", name)
    _text(root, "capacity", capacity, unit=unit)
    if kind == "qcow2":
        _text(root, "allocation", 0)
    SubElement(SubElement(root, "target"), "format", type=kind)
    if on:
        backing = SubElement(root, "backingStore")
        _text(backing, "path", on)
        SubElement(backing, "format", type=on_kind)
    return _rendered(root)


def pool(wanted: Pool) -> str:
    """The XML of a pool that is a folder."""
    root = Element("pool", type="dir")
    _text(root, "name", wanted.name)
    _text(SubElement(root, "target"), "path", wanted.path)
    return _rendered(root)


def network(wanted: KvmNetwork) -> str:
    """The XML of a network onto a bridge of the host."""
    root = Element("network")
    _text(root, "name", wanted.name)
    SubElement(root, "forward", mode="bridge")
    SubElement(root, "bridge", name=wanted.bridge)
    return _rendered(root)


def _text(parent: Element, tag: str, value: str | int, **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = str(value)
    return child


def _rendered(root: Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
