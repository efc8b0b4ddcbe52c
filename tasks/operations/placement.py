"""Which KVM host a new machine goes to: where it fits, apart from its like, where most memory is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inventory.models.machines import KvmHost, Machine
from tasks.facts.libvirt import Capacity, Domain, PoolFact

_LOOKS = 20_000  # at most; a hundred machines need some hundred where there is room
GIB = 1 << 30


@dataclass(frozen=True)
class Room:
    """What is left on a host. `disk_gib` is None where its pool is not there yet, and nothing is known."""

    host: str
    vcpus: int
    memory_mib: int
    huge_pages: int  # of 2 MiB
    disk_gib: float | None
    apart: frozenset[str] = frozenset()  # the words of the machines that stand here

    def lacks(self, machine: Machine) -> str:
        """Why the machine does not fit, in words; empty where it does."""
        pages = machine.memory_mib // 2 if machine.hugepages else 0
        memory_mib = 0 if machine.hugepages else machine.memory_mib
        for wanted, free, what in (
            (machine.vcpus, self.vcpus, "vcpus"),
            (memory_mib, self.memory_mib, "MiB of memory"),
            (pages, self.huge_pages, "huge pages"),
            (machine.disk_gib, self.disk_gib, "GiB of storage"),
        ):
            if free is not None and wanted > free:
                return f"{max(0, free):.0f} {what} free, {wanted} wanted"
        if machine.apart and machine.apart in self.apart:
            return f"a machine of {machine.apart} stands there"
        return ""

    def after(self, machine: Machine) -> Room:
        """What is left once the machine stands here."""
        return replace(
            self,
            vcpus=self.vcpus - machine.vcpus,
            memory_mib=self.memory_mib - (0 if machine.hugepages else machine.memory_mib),
            huge_pages=self.huge_pages - (machine.memory_mib // 2 if machine.hugepages else 0),
            disk_gib=None if self.disk_gib is None else self.disk_gib - machine.disk_gib,
            apart=self.apart | {machine.apart} if machine.apart else self.apart,
        )


@dataclass(frozen=True)
class Placement:
    """Node -> KVM host; or, where not every machine finds a place, why."""

    where: Mapping[str, str]
    refused: tuple[str, ...] = ()


def room(
    host: KvmHost,
    size: Capacity,
    domains: Sequence[Domain],
    pool: PoolFact | None,
    apart: frozenset[str],
) -> Room:
    """What is left on a host, counting every machine as if it ran and every thin disk as if it were full."""
    ordinary = sum(each.memory_mib for each in domains if not each.hugepages)
    asleep = sum(each.memory_mib // 2 for each in domains if each.hugepages and not each.active)
    known = pool is not None and pool.active
    promised = sum(max(0, v.capacity_bytes - v.allocation_bytes) for v in pool.volumes) if pool else 0
    return Room(
        host=host.name,
        vcpus=int(size.cpus * host.vcpus_per_cpu) - sum(each.vcpus for each in domains),
        memory_mib=size.memory_mib - 2 * size.huge_total - host.reserve_mib - ordinary,
        huge_pages=size.huge_free - asleep,
        disk_gib=(pool.available_bytes - promised) / GIB if pool and known else None,
        apart=apart,
    )


def place(machines: Sequence[Machine], rooms: Sequence[Room]) -> Placement:
    """A host for every machine, the largest first; a search, so that a place is found where there is one."""
    largest = sorted(machines, key=lambda each: (not each.apart, -each.memory_mib, each.node))
    tried = 0

    def search(index: int, left: tuple[Room, ...]) -> dict[str, str] | None:
        nonlocal tried
        if index == len(largest):
            return {}
        machine = largest[index]
        fitting = [n for n, one in enumerate(left) if _allowed(machine, one) and not one.lacks(machine)]
        for n in sorted(fitting, key=lambda n: (-left[n].memory_mib, -left[n].vcpus, left[n].host)):
            tried += 1
            if tried > _LOOKS:
                return None
            rest = search(index + 1, (*left[:n], left[n].after(machine), *left[n + 1 :]))
            if rest is not None:
                return {machine.node: left[n].host, **rest}
        return None

    found = search(0, tuple(rooms))
    if found is not None:
        return Placement({each.node: found[each.node] for each in machines})
    return Placement({}, tuple(_why(largest, rooms)))


def _allowed(machine: Machine, one: Room) -> bool:
    return machine.host in ("", one.host)


def _why(machines: Sequence[Machine], rooms: Sequence[Room]) -> list[str]:
    """The machines that fit nowhere, one after the other taking the room that there is."""
    left, why = list(rooms), []
    for machine in machines:
        allowed = [n for n, one in enumerate(left) if _allowed(machine, one)]
        fitting = [n for n in allowed if not left[n].lacks(machine)]
        if fitting:
            best = max(fitting, key=lambda n: left[n].memory_mib)
            left[best] = left[best].after(machine)
        else:
            reasons = "; ".join(f"{left[n].host}: {left[n].lacks(machine)}" for n in allowed)
            why.append(f"{machine.node} has no place ({reasons})")
    return why or ["no way was found to place all machines together: make them smaller, or name their hosts"]
