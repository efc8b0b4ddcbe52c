"""Our changes and questions against a real libvirtd: it takes the XML, and keeps the marks."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from inventory.models.change import Change
from inventory.models.command import Command
from inventory.models.machines import Kvm
from inventory.models.site import Site
from tasks.drivers.errors import CommandFailed
from tasks.facts.gather import Facts, gather
from tasks.operations import machines
from tasks.operations.apply import apply, apply_all
from tests.drivers.real_libvirt import Near, running
from tests.operations.places import site as whole_site
from tests.operations.test_machines import identity

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="namespaces and mounts are made")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "disk.raw"
    path.write_bytes(os.urandom(1 << 20))
    return path


@pytest.fixture(scope="module")
def declared(image: Path) -> Site:
    kvm = Kvm.model_validate(
        {
            "hosts": [
                {"name": "kvm-1", "address": "10.60.0.5", "accelerator": "qemu"}
                | {"reserve_mib": 0, "vcpus_per_cpu": 8}
            ],
            "image": {
                "file": str(image),
                "sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
                "format": "raw",
            },
            "machines": [
                {"node": "oslo-1", "vcpus": 2, "memory_mib": 512, "disk_gib": 1, "cpu_model": "Nehalem"}
            ],
        }
    )
    whole = whole_site()
    target = whole.target.model_copy(update={"kvm": kvm, "underlay": IPv4Network("10.60.0.0/24")})
    return whole.model_copy(update={"target": target})


@pytest.fixture(scope="module")
def host(declared: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Near]:
    with running(tmp_path_factory.mktemp("libvirt")) as sockets:
        near = Near(machines.declared(declared).hosts[0], declared.target.ssh)
        near.socket = sockets
        yield near


def facts(host: Near, declared: Site) -> dict[str, Facts]:
    return {host.name: gather(host, machines.asked(declared))}


def unpowered(host: Near, declared: Site, image: Path) -> list[Change]:
    """What is planned, but for the power: nothing runs here."""
    plan = machines.plan(declared, facts(host, declared), (), identity, image.stat().st_size)
    assert plan.problems == ()
    return [change for change in plan.changes if not change.subject.startswith("power")]


def test_a_machine_is_made_verified_marked_and_removed_beside_others(
    host: Near, declared: Site, image: Path
) -> None:
    ground = machines.plan_ground(declared, facts(host, declared))
    assert [change.subject for change in ground] == ["pool safe-harbor", "network safe-harbor"]
    assert apply_all(host, ground).ok
    assert machines.plan_ground(declared, facts(host, declared)) == []
    pool = machines.declared(declared).pool.name
    host.check(Command.of("virsh", "vol-create-as", pool, "customer.qcow2", "1M", "--format", "qcow2"))

    came = apply_all(host, unpowered(host, declared, image))
    assert came.error is None
    again = unpowered(host, declared, image)
    assert [change.subject for change in again] == ["volume safe-harbor-oslo-oslo-1-seed.iso"]
    ((node, ((where, domain),)),) = machines.found(declared, facts(host, declared)).items()
    assert (node, where, domain.active, domain.memory_mib) == ("oslo-1", "kvm-1", False, 512)

    removal = machines.plan_removal(declared, facts(host, declared))
    assert [change.subject for change in removal] == ["machine oslo-oslo-1"]
    assert apply_all(host, removal).ok
    assert machines.plan_removal(declared, facts(host, declared)) == []
    left = host.check(Command.of("virsh", "vol-list", pool))
    assert "customer.qcow2" in left
    assert "oslo-oslo-1" not in left


def test_an_image_that_was_changed_on_the_host_is_sent_again_or_refused(
    host: Near, declared: Site, image: Path, tmp_path: Path
) -> None:
    apply_all(host, machines.plan_ground(declared, facts(host, declared)))
    (ensure,) = [each for each in unpowered(host, declared, image) if each.subject.startswith("image")]
    apply(host, ensure)
    pool, name = machines.declared(declared).pool.name, ensure.subject.removeprefix("image ")
    (tmp_path / "other").write_bytes(bytes(1 << 20))
    spoil = Command.of("virsh", "vol-upload", "--pool", pool, name, str(tmp_path / "other"))
    host.check(spoil)
    apply(host, ensure)
    (tmp_path / "back").touch()
    host.check(Command.of("virsh", "vol-download", "--pool", pool, name, str(tmp_path / "back")))
    assert subprocess.run(["cmp", image, tmp_path / "back"], check=False).returncode == 0

    assert apply_all(host, unpowered(host, declared, image)).ok
    host.check(spoil)
    host.check(Command.of("virsh", "vol-delete", "--pool", pool, "safe-harbor-oslo-oslo-1.qcow2"))
    another = Command.of("virsh", "vol-create-as", pool, "safe-harbor-x.qcow2", "1M", "--format", "qcow2")
    backed = Command.of(*another.words, "--backing-vol", name, "--backing-vol-format", "raw")
    host.check(backed)
    (used,) = [each for each in unpowered(host, declared, image) if each.subject.startswith("image")]
    with pytest.raises(CommandFailed, match="is not the declared image any more, and machines stand on it"):
        apply(host, used)
