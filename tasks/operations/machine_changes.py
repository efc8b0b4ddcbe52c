"""The changes that make and remove machines on a KVM host: each one thing, with its virsh commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from inventory.models.change import Change, Run
from inventory.models.cluster import Node
from inventory.models.command import Command, Script
from inventory.models.machines import Kvm, KvmHost, Machine
from inventory.models.site import Site
from tasks.facts.libvirt import Domain, NetworkFact, PoolFact
from tasks.operations import machine_xml
from tasks.operations.cloud_init import Identity, seed
from tasks.operations.machine_xml import Named, image_volume

Identities = Callable[[Node], Identity]
_IMAGE_S = 3600.0  # to send it once, and to read it back twice

# $1 pool $2 volume $3 file here $4 SHA-256 $5 bytes $6 format $7 "used" where machines stand on it. The
# volume is read back: an upload that was cut short, or a change since, is seen before a machine stands on it.
_IMAGE = """
set -eu
digest() { virsh vol-download --pool "$1" "$2" /dev/fd/3 3>&1 > /dev/null | sha256sum | cut -d' ' -f1; }
if virsh vol-info --pool "$1" "$2" > /dev/null 2>&1; then
  if [ "$(digest "$1" "$2")" = "$4" ]; then exit 0; fi
  if [ "$7" = used ]; then
    echo "the volume $2 is not the declared image any more, and machines stand on it" >&2; exit 65
  fi
  virsh vol-delete --pool "$1" "$2" > /dev/null
fi
virsh vol-create-as "$1" "$2" "$5" --format "$6" > /dev/null
virsh vol-upload --pool "$1" "$2" "$3"
if [ "$(digest "$1" "$2")" != "$4" ]; then echo 'the image differs on arrival' >&2; exit 65; fi
"""


def pool_changes(kvm: Kvm, host: KvmHost, there: PoolFact | None) -> list[Change]:
    """The pool, active and started with its host."""
    name = kvm.pool.name
    if there is not None and there.active:
        return []
    start = (Run(Command.of("virsh", "pool-start", name)), Run(Command.of("virsh", "pool-autostart", name)))
    if there is not None:
        return [Change(host.name, f"pool {name}", "machines' disks lie in it", "inactive", "active", start)]
    make = (
        Run(Command.of("virsh", "pool-define", "/dev/stdin"), stdin=machine_xml.pool(kvm.pool).encode()),
        Run(Command.of("virsh", "pool-build", name)),
        *start,
    )
    undo = (Run(Command.of("virsh", "pool-destroy", name)), Run(Command.of("virsh", "pool-undefine", name)))
    after = f"a folder, {kvm.pool.path}"
    return [Change(host.name, f"pool {name}", "machines' disks lie in it", "", after, make, undo)]


def network_changes(kvm: Kvm, host: KvmHost, there: NetworkFact | None) -> list[Change]:
    """The network, active and started with its host."""
    name = kvm.network.name
    if there is not None and there.active:
        return []
    start = (Run(Command.of("virsh", "net-start", name)), Run(Command.of("virsh", "net-autostart", name)))
    why = "machines' cards lead to the underlay through it"
    if there is not None:
        return [Change(host.name, f"network {name}", why, "inactive", "active", start)]
    xml = machine_xml.network(kvm.network).encode()
    make = (Run(Command.of("virsh", "net-define", "/dev/stdin"), stdin=xml), *start)
    undo = (Run(Command.of("virsh", "net-destroy", name)), Run(Command.of("virsh", "net-undefine", name)))
    return [Change(host.name, f"network {name}", why, "", f"bridge {kvm.network.bridge}", make, undo)]


def image_change(kvm: Kvm, host: KvmHost, pool: PoolFact | None, size: int) -> Change:
    """The image in the pool, verified there. `size` is that of its file, in bytes."""
    name = image_volume(kvm)
    there = pool.volume(name) if pool is not None else None
    used = there is not None and any(v.backing == there.path for v in (pool.volumes if pool else ()))
    ensure = Script.of(
        _IMAGE,
        *(kvm.pool.name, name, str(kvm.image.file), kvm.image.sha256, size, kvm.image.format),
        "used" if used else "free",
    )
    before = "there, not verified" if there else ""
    after = f"sha256 {kvm.image.sha256[:12]}, read back"
    return Change(
        *(host.name, f"image {name}", "machines start from it", before, after),
        (Run(ensure, timeout_s=_IMAGE_S),),
    )


def machine_changes(
    site: Site,
    kvm: Kvm,
    host: KvmHost,
    machine: Machine,
    node: Node,
    there: Domain | None,
    pool: PoolFact | None,
    identity: Identities,
) -> list[Change]:
    """One machine: defined, with its volumes, running. `there` is it as libvirt knows it."""
    xml, definition = machine_xml.domain(site.name, kvm, host, machine, node)
    define = Run(Command.of("virsh", "define", "/dev/stdin"), stdin=xml.encode())
    named = Named(site.name, node.name)
    shape = (
        f"{machine.vcpus} vcpus, {machine.memory_mib} MiB, {machine.disk_gib} GiB, {machine.cpu_model}, "
        f"{machine.queue_count} queues, cache {machine.disk_cache}"
    )
    changes = []
    if there is None:
        undo = (Run(Command.of("virsh", "undefine", named.domain)),)
        why = f"node {node.name} is declared, and nothing answers at {node.address}"
        changes.append(Change(host.name, f"machine {named.domain}", why, "", shape, (define,), undo))
    elif there.mark is not None and there.mark.definition != definition:
        why = "the site file has changed; it takes effect when the machine is next shut down and started"
        before = f"definition {there.mark.definition[:12]}"
        changes.append(Change(host.name, f"machine {named.domain}", why, before, shape, (define,)))
    if there is not None and there.active:
        return changes
    return [*changes, *_volumes(site, kvm, host, machine, node, pool, identity), _start(host, named)]


def _volumes(
    site: Site,
    kvm: Kvm,
    host: KvmHost,
    machine: Machine,
    node: Node,
    pool: PoolFact | None,
    identity: Identities,
) -> Iterator[Change]:
    named = Named(site.name, node.name)
    create = Command.of("virsh", "vol-create", kvm.pool.name, "/dev/stdin")
    if pool is None or pool.volume(named.disk) is None:
        xml = machine_xml.volume(
            named.disk,
            machine.disk_gib,
            unit="GiB",
            kind="qcow2",
            on=f"{kvm.pool.path}/{image_volume(kvm)}",
            on_kind=kvm.image.format,
        )
        undo = (Run(Command.of("virsh", "vol-delete", "--pool", kvm.pool.name, named.disk)),)
        made = (Run(create, stdin=xml.encode()),)
        after = f"{machine.disk_gib} GiB on {image_volume(kvm)}"
        yield Change(host.name, f"volume {named.disk}", f"{node.name} boots from it", "", after, made, undo)
    prefix = site.target.underlay.prefixlen if site.target.underlay is not None else 32
    content = seed(site.name, node, prefix, kvm.network, named.mac, identity(node))
    upload = Command.of("virsh", "vol-upload", "--pool", kvm.pool.name, named.seed, "/dev/stdin")
    actions: tuple[Run, ...] = (Run(upload, stdin=content),)
    there = pool is not None and pool.volume(named.seed) is not None
    if not there:
        xml = machine_xml.volume(named.seed, len(content), unit="bytes", kind="raw")
        actions = (Run(create, stdin=xml.encode()), *actions)
    # Uploaded before every start: a run that was killed may have left it empty.
    why = "cloud-init gives the machine its name, address and keys from it"
    before = "there" if there else ""
    undo = (Run(Command.of("virsh", "vol-delete", "--pool", kvm.pool.name, named.seed)),)
    after = f"address {node.address}/{prefix}, key of {identity(node).user}"
    yield Change(host.name, f"volume {named.seed}", why, before, after, actions, () if there else undo)


def _start(host: KvmHost, named: Named) -> Change:
    actions = (
        Run(Command.of("virsh", "start", named.domain), timeout_s=300.0),
        Run(Command.of("virsh", "autostart", named.domain)),
    )
    undo = (Run(Command.of("virsh", "destroy", named.domain)),)
    why = "it shall run, and start with its host"
    return Change(host.name, f"power of {named.domain}", why, "off", "on", actions, undo)


def removal(host: KvmHost, domain: Domain, volumes: Sequence[tuple[str, str]]) -> Change:
    """The end of a machine and of these volumes (pool, name)."""
    actions = [Run(Command.of("virsh", "destroy", domain.name))] if domain.active else []
    actions += [Run(Command.of("virsh", "vol-delete", "--pool", pool, name)) for pool, name in volumes]
    actions.append(Run(Command.of("virsh", "undefine", domain.name)))  # last: it carries the mark
    named = ", ".join(name for _, name in volumes) or "no volumes"
    return Change(
        host.name,
        f"machine {domain.name}",
        "it carries this site's mark, and its removal was confirmed",
        f"{'running' if domain.active else 'off'}, with {named}",
        "gone",
        tuple(actions),
    )
