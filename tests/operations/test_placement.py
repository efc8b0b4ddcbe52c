"""Placement: a place wherever there is one, apart from its like, never more than there is."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.models.machines import KvmHost, Machine
from tasks.facts.libvirt import Capacity, Domain, PoolFact, Volume
from tasks.operations.placement import GIB, Room, place, room


def machine(node: str, memory_mib: int = 1024, **more: object) -> Machine:
    return Machine.model_validate({"node": node, "memory_mib": memory_mib, "vcpus": 1, "disk_gib": 1, **more})


def empty(host: str, memory_mib: int = 4096, vcpus: int = 4, disk_gib: float | None = 10.0) -> Room:
    return Room(host, vcpus, memory_mib, 0, disk_gib)


def fits(machines: list[Machine], rooms: list[Room], where: dict[str, str]) -> bool:
    left = {one.host: one for one in rooms}
    for each in machines:
        one = left[where[each.node]]
        if one.lacks(each) or each.host not in ("", one.host):
            return False
        left[one.host] = one.after(each)
    return True


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "k0"])), max_size=4
    ),
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
)
def test_a_place_is_found_exactly_where_there_is_one(
    wanted: list[tuple[int, str, str]], sizes: list[int]
) -> None:
    machines = [machine(f"n{n}", size * 1024, apart=a, host=h) for n, (size, a, h) in enumerate(wanted)]
    rooms = [empty(f"k{n}", size * 1024) for n, size in enumerate(sizes)]
    found = place(machines, rooms)
    names = [one.host for one in rooms]
    exists = any(
        fits(machines, rooms, dict(zip([m.node for m in machines], way, strict=True)))
        for way in product(names, repeat=len(machines))
    )
    assert bool(found.refused) is not exists
    if exists:
        assert fits(machines, rooms, dict(found.where))


def test_the_reasons_name_every_host_and_what_it_lacks() -> None:
    found = place([machine("oslo-1", 8192)], [empty("kvm-1"), empty("kvm-2", disk_gib=0.5, memory_mib=9000)])
    assert found.refused == (
        "oslo-1 has no place (kvm-1: 4096 MiB of memory free, 8192 wanted; "
        "kvm-2: 0 GiB of storage free, 1 wanted)",
    )
    two = place([machine("oslo-1", apart="x"), machine("oslo-2", apart="x")], [empty("kvm-1")])
    assert two.refused == ("oslo-2 has no place (kvm-1: a machine of x stands there)",)


def test_machines_spread_to_where_most_memory_is_left() -> None:
    machines = [machine(f"oslo-{n}") for n in range(4)]
    found = place(machines, [empty("kvm-1"), empty("kvm-2")])
    assert sorted(found.where.values()) == ["kvm-1", "kvm-1", "kvm-2", "kvm-2"]


def test_a_host_counts_what_is_defined_as_if_it_ran_and_thin_disks_as_if_full() -> None:
    size = Capacity(8, 16384, 1024, 512, frozenset({"kvm"}))
    domains = (
        Domain("a", "1", 2, 4096, False, True, None),
        Domain("b", "2", 1, 512, True, False, None),
    )
    thin = Volume("safe-harbor-x", "/p/x", 4 * GIB, GIB, "")
    pool = PoolFact(True, "dir", "/p", 10 * GIB, (thin,))
    host = KvmHost.model_validate({"name": "kvm-1", "address": "10.60.0.5", "reserve_mib": 1024})
    left = room(host, size, domains, pool, frozenset({"data"}))
    assert (left.vcpus, left.memory_mib, left.huge_pages) == (5, 16384 - 2048 - 1024 - 4096, 512 - 256)
    assert left.disk_gib == 7.0
    assert left.apart == {"data"}


def test_huge_pages_are_taken_from_what_is_set_aside() -> None:
    rooms = [Room("kvm-1", 8, 100, 1024, None)]
    big = machine("oslo-1", 2048, hugepages=True)
    assert place([big], rooms).where == {"oslo-1": "kvm-1"}
    assert "huge pages" in place([big, machine("oslo-2", 1024, hugepages=True)], rooms).refused[0]
