"""libvirt 9.0's answers of a host with one machine of ours, as virsh printed them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.facts import libvirt
from tasks.facts.libvirt import Capacity, NetworkFact

DATA = Path(__file__).parents[1] / "data" / "libvirt"


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text()


def test_capacity() -> None:
    assert libvirt.parse_capacity(recorded("capacity")) == Capacity(2, 18650, 0, 0, frozenset({"qemu"}))


def test_huge_pages_are_counted_set_aside_and_free() -> None:
    text = recorded("capacity").replace(
        "<pages unit='KiB' size='2048'>0</pages>", "<pages unit='KiB' size='2048'>512</pages>"
    )
    text = text.replace("2048KiB: 0", "2048KiB: 256")
    found = libvirt.parse_capacity(text)
    assert (found.huge_total, found.huge_free) == (512, 256)


def test_domains() -> None:
    (found,) = libvirt.parse_domains(recorded("domains"))
    assert (found.name, found.vcpus, found.memory_mib, found.active) == ("lab-d-oslo-1", 2, 1024, False)
    assert not found.hugepages
    assert found.mark is not None
    assert (found.mark.site, found.mark.node) == ("lab", "d-oslo-1")
    names = ("safe-harbor-lab-d-oslo-1.qcow2", "safe-harbor-lab-d-oslo-1-seed.iso")
    assert found.mark.volumes == tuple(("safe-harbor", name) for name in names)


def test_a_machine_without_our_mark_has_none_whatever_its_name() -> None:
    text = recorded("domains").replace("https://safe-harbor.example/machine/v1", "https://other.example")
    (found,) = libvirt.parse_domains(text)
    assert found.name == "lab-d-oslo-1"
    assert found.mark is None


def test_a_running_machine_is_known_by_its_uuid() -> None:
    (off,) = libvirt.parse_domains(recorded("domains"))
    text = recorded("domains").replace("</domains>", f"<active>{off.uuid}</active>\n</domains>")
    assert libvirt.parse_domains(text)[0].active


def test_pool_and_its_volumes() -> None:
    found = libvirt.parse_pool(recorded("pool"))
    assert found is not None
    assert (found.active, found.kind, found.path) == (True, "dir", "/var/lib/libvirt/images/safe-harbor")
    image, seed, disk = found.volumes
    assert disk.backing == image.path
    assert disk.capacity_bytes == 4 << 30
    assert seed.name == "safe-harbor-lab-d-oslo-1-seed.iso"
    assert found.volume("safe-harbor-lab-d-oslo-1.qcow2") == disk
    assert found.volume("other") is None


def test_network() -> None:
    assert libvirt.parse_network(recorded("network")) == NetworkFact(True, "bridge", "br0")


def test_what_is_not_there_is_none() -> None:
    assert libvirt.parse_pool("<found>\n</found>\n") is None
    assert libvirt.parse_network("<found>\n</found>\n") is None
    assert libvirt.parse_domains("<domains>\n</domains>\n") == ()


@pytest.mark.parametrize("text", ["", "error: nothing", "<domains>", "<domains><domain/></domains>"])
def test_nonsense_is_not_taken_for_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        libvirt.parse_domains(text)


def test_entities_do_not_grow_without_bound() -> None:
    doubled = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE d [<!ENTITY e0 "0123456789">{doubled}]><domains>&e9;</domains>'
    with pytest.raises(ValueError, match="not libvirt's XML"):
        libvirt.parse_domains(bomb)
