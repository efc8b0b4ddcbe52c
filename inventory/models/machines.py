"""KVM hosts, and the machines that shall be made on them for declared nodes."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inventory.models.cluster import Declared
from inventory.models.ssh import Ssh

NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class KvmHost(Declared):
    """A host with libvirt, reached by `qemu+ssh`.

    `accelerator: qemu` emulates every instruction, many times slower than KVM: for rehearsals only.
    """

    name: str = Field(pattern=NAME)
    address: IPv4Address
    host_key: str = ""  # "ssh-ed25519 AAAA..."; empty: it must stand in ssh.known_hosts
    accelerator: Literal["kvm", "qemu"] = "kvm"
    reserve_mib: int = Field(default=2048, ge=0)  # memory that stays the host's own
    vcpus_per_cpu: float = Field(default=1.0, gt=0, le=16)  # above 1 machines take time from each other


class Pool(Declared):
    """A storage pool that is a folder; made where it is not there."""

    name: str = Field(default="safe-harbor", pattern=NAME)
    path: str = Field(default="/var/lib/libvirt/images/safe-harbor", pattern=r"^(/[A-Za-z0-9._-]+)+$")


class KvmNetwork(Declared):
    """A libvirt network onto a bridge of the host; made where it is not there. The bridge must be there."""

    name: str = Field(default="safe-harbor", pattern=NAME)
    bridge: str = Field(default="br0", pattern=r"^[A-Za-z0-9._-]{1,15}$")
    gateway: IPv4Address | None = None  # of the machines; none: no default route
    nameservers: tuple[IPv4Address, ...] = ()


class Image(Declared):
    """The disk image that machines start from: bootable, with cloud-init. Verified here and on the host."""

    file: Path
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    format: Literal["qcow2", "raw"] = "qcow2"


class Machine(Declared):
    """The machine that becomes a node. The defaults suit a worker of a busy web site."""

    node: str = Field(pattern=NAME)  # the name of a node of the target
    host: str = ""  # the KVM host; empty: the one with most room
    apart: str = ""  # machines with the same word never share a KVM host
    vcpus: int = Field(default=4, ge=1, le=255)
    memory_mib: int = Field(default=8192, ge=512)
    disk_gib: int = Field(default=40, ge=1)
    # host-passthrough, host-model, or the name of a model (then machines can move between unlike hosts).
    cpu_model: str = Field(default="host-passthrough", pattern=r"^[A-Za-z0-9._-]+$")
    hugepages: bool = False  # of 2 MiB; they must be set aside on the host
    queues: int = Field(default=0, ge=0, le=256)  # of virtio-net and virtio-blk; 0: one a vcpu
    disk_cache: Literal["none", "directsync", "writethrough", "writeback", "unsafe"] = "none"
    disk_io: Literal["native", "threads", "io_uring"] = "native"
    io_threads: int = Field(default=1, ge=0, le=16)  # 0: the disk is served by the main loop

    @property
    def queue_count(self) -> int:
        """Queues of each virtio device."""
        return self.queues or self.vcpus

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.queue_count > self.vcpus:
            raise ValueError(f"{self.queues} queues on {self.vcpus} vcpus: more than one a vcpu serve nobody")
        if self.disk_io == "native" and self.disk_cache not in ("none", "directsync"):
            raise ValueError(f"disk_io native needs disk_cache none or directsync, not {self.disk_cache}")
        if self.hugepages and self.memory_mib % 2:
            raise ValueError(f"memory_mib {self.memory_mib} is no whole number of 2 MiB pages")
        return self


class Kvm(Declared):
    """Which machines are to be made, of what, and where."""

    ssh: Ssh | None = None  # the way to the KVM hosts; none: that of target.ssh
    hosts: tuple[KvmHost, ...] = Field(min_length=1)
    pool: Pool = Pool()
    network: KvmNetwork = KvmNetwork()
    image: Image
    machines: tuple[Machine, ...] = Field(min_length=1)

    def host_named(self, name: str) -> KvmHost:
        """The declared host. Raises KeyError where there is none of that name."""
        return {host.name: host for host in self.hosts}[name]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        hosts = [host.name for host in self.hosts]
        nodes = [machine.node for machine in self.machines]
        for what, names in (("KVM hosts have the name", hosts), ("machines are for the node", nodes)):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {what} {name}")
        for machine in self.machines:
            if machine.host and machine.host not in hosts:
                raise ValueError(
                    f"machine {machine.node}: no KVM host has the name {machine.host} "
                    f"(declared: {', '.join(hosts)})"
                )
        for word in {machine.apart for machine in self.machines if machine.apart}:
            group = [machine.node for machine in self.machines if machine.apart == word]
            if len(group) > len(hosts):
                raise ValueError(
                    f"{', '.join(group)} shall stand apart ({word}), and there are {len(hosts)} KVM hosts"
                )
        return self
