"""Machines on KVM hosts: what is made, what is left alone, what is removed.

A machine is ours by the mark in its metadata. It is defined before its volumes are made, and undefined after
they are removed: a run that was killed leaves nothing without a mark. A volume that no machine of ours names
is never written and never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inventory.models.change import Change
from inventory.models.machines import Kvm, KvmHost
from inventory.models.site import Site
from tasks.facts import libvirt
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.facts.libvirt import Domain
from tasks.operations.machine_changes import (
    Identities,
    image_change,
    machine_changes,
    network_changes,
    pool_changes,
    removal,
)
from tasks.operations.machine_xml import Named, image_volume
from tasks.operations.placement import GIB, Room, place, room

FactsOf = Mapping[str, Facts]
Changes = Sequence[Change]


@dataclass(frozen=True)
class Planned:
    """`stands` and `makes` map nodes to KVM hosts. With `problems` there are no changes."""

    changes: tuple[Change, ...] = ()
    stands: Mapping[str, str] = field(default_factory=dict)
    makes: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def asked(site: Site) -> tuple[Asked[Any], ...]:
    """What every KVM host is asked."""
    kvm = declared(site)
    return (
        libvirt.capacity(),
        libvirt.domains(),
        libvirt.pool(kvm.pool.name),
        libvirt.network(kvm.network.name),
    )


def declared(site: Site) -> Kvm:
    """The site's machines. Raises LookupError where it declares none."""
    if site.target.kvm is None:
        raise LookupError(f"{site.name} declares no machines")
    return site.target.kvm


def plan_ground(site: Site, facts: FactsOf) -> list[Change]:
    """The storage pool and the network on every KVM host."""
    kvm = declared(site)
    changes = []
    for host in kvm.hosts:
        _, _, pool, network = (facts[host.name].of(each) for each in asked(site))
        changes += pool_changes(kvm, host, pool)
        changes += network_changes(kvm, host, network)
    return changes


def plan(
    site: Site, facts: FactsOf, answering: Sequence[str], identity: Identities, image_bytes: int
) -> Planned:
    """The machines. `answering` names nodes that exist without being ours: they are taken over as they are.

    `image_bytes` is the size of the image's file. Pure but for `identity`, which is asked for new machines.
    """
    kvm = declared(site)
    mine = found(site, facts)
    problems = [*_twice(mine), *_unfit(site, kvm, facts), *_taken(site, kvm, facts, mine, answering)]
    stands = {node: places[0][0] for node, places in mine.items()}
    missing = [m for m in kvm.machines if m.node not in stands and m.node not in answering]
    placement = place(missing, [_room(site, host, facts, stands, image_bytes) for host in kvm.hosts])
    problems += placement.refused
    if problems:
        return Planned(problems=tuple(problems))
    nodes = {node.name: node for node in site.target.nodes}
    changes: list[Change] = []
    for host in kvm.hosts:
        new = [m for m in missing if placement.where[m.node] == host.name]
        old = [m for m in kvm.machines if stands.get(m.node) == host.name]
        pool = facts[host.name].of(libvirt.pool(kvm.pool.name))
        lacking = [m for m in old if pool is None or pool.volume(Named(site.name, m.node).disk) is None]
        if new or lacking:
            changes.append(image_change(kvm, host, pool, image_bytes))
        for machine in (*old, *new):
            node = nodes[machine.node]
            there = mine[machine.node][0][1] if machine in old else None
            changes += machine_changes(site, kvm, host, machine, node, there, pool, identity)
    return Planned(tuple(changes), stands, dict(placement.where))


def plan_removal(site: Site, facts: FactsOf) -> list[Change]:
    """Remove what carries this site's mark: machines, and the volumes that were made with them."""
    kvm = declared(site)
    changes = []
    for host in kvm.hosts:
        pool = facts[host.name].of(libvirt.pool(kvm.pool.name))
        for domain in facts[host.name].of(libvirt.domains()):
            if domain.mark is None or domain.mark.site != site.name:
                continue
            volumes = [
                (pool_name, name)
                for pool_name, name in domain.mark.volumes
                if name in (Named(site.name, domain.mark.node).disk, Named(site.name, domain.mark.node).seed)
                and pool_name == kvm.pool.name
                and pool is not None
                and pool.volume(name) is not None
            ]
            changes.append(removal(host, domain, volumes))
    return changes


def found(site: Site, facts: FactsOf) -> dict[str, list[tuple[str, Domain]]]:
    """Node -> (KVM host, machine) of every machine that carries this site's mark."""
    places: dict[str, list[tuple[str, Domain]]] = {}
    for host, answers in facts.items():
        for domain in answers.of(libvirt.domains()):
            if domain.mark is not None and domain.mark.site == site.name:
                places.setdefault(domain.mark.node, []).append((host, domain))
    return places


# -- what stands in the way ---------------------------------------------------------------------------------


def _twice(mine: Mapping[str, list[tuple[str, Domain]]]) -> Iterator[str]:
    for node, places in mine.items():
        if len(places) > 1:
            hosts = ", ".join(host for host, _ in places)
            yield f"{node} stands on {hosts}: shut one down and undefine it"


def _unfit(site: Site, kvm: Kvm, facts: FactsOf) -> Iterator[str]:
    for host in kvm.hosts:
        size, _, pool, network = (facts[host.name].of(each) for each in asked(site))
        if host.accelerator not in size.accelerators:
            able = ", ".join(sorted(size.accelerators)) or "nothing"
            yield f"{host.name} cannot run {host.accelerator} machines (it runs {able}): is /dev/kvm there?"
        if pool is not None and (pool.kind, pool.path) != ("dir", kvm.pool.path):
            yield f"{host.name}: the pool {kvm.pool.name} is of kind {pool.kind}, at {pool.path or 'no path'}"
        if network is not None and (network.forward, network.bridge) != ("bridge", kvm.network.bridge):
            yield f"{host.name}: the network {kvm.network.name} leads onto {network.bridge or 'no bridge'}"


def _taken(
    site: Site,
    kvm: Kvm,
    facts: FactsOf,
    mine: Mapping[str, Any],
    answering: Sequence[str],
) -> Iterator[str]:
    """Names that somebody else's machine or disk has."""
    for machine in kvm.machines:
        if machine.node in mine or machine.node in answering:
            continue
        named = Named(site.name, machine.node)
        for host in kvm.hosts:
            pool = facts[host.name].of(libvirt.pool(kvm.pool.name))
            names = {domain.name for domain in facts[host.name].of(libvirt.domains())}
            if named.domain in names:
                yield f"{host.name} has a machine {named.domain} that we did not make: rename or remove it"
            for volume in (named.disk, named.seed):
                if pool is not None and pool.volume(volume) is not None:
                    yield f"{host.name} has a volume {volume} of no machine of ours: look at it, delete it"


def _room(site: Site, host: KvmHost, facts: FactsOf, stands: Mapping[str, str], image_bytes: int) -> Room:
    kvm = declared(site)
    size, domains, pool, _ = (facts[host.name].of(each) for each in asked(site))
    apart = frozenset(m.apart for m in kvm.machines if m.apart and stands.get(m.node) == host.name)
    left = room(host, size, domains, pool, apart)
    if left.disk_gib is None or pool is None or pool.volume(image_volume(kvm)) is not None:
        return left
    return replace(left, disk_gib=left.disk_gib - image_bytes / GIB)
