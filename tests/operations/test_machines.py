"""Machines on KVM hosts in memory: made once, healed after a kill, removed and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.models.cluster import Node
from inventory.models.machines import Kvm
from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.operations import machine_xml, machines
from tasks.operations.cloud_init import Identity
from tasks.operations.machine_xml import Named
from tasks.operations.machines import Planned
from tests.operations.fake_libvirt import FakeLibvirt, PowerCut, do
from tests.operations.places import site as whole_site

IMAGE = {"file": "/image.qcow2", "sha256": "ab" * 32}
HOSTS = [{"name": f"kvm-{n}", "address": f"10.60.0.{n}"} for n in (5, 6)]
MACHINES: list[dict[str, Any]] = [
    {"node": "oslo-1", "apart": "data", "memory_mib": 4096},
    {"node": "oslo-2", "apart": "data", "memory_mib": 4096},
]


def site(found: list[dict[str, Any]] = MACHINES, **more: Any) -> Site:
    kvm = Kvm.model_validate({"hosts": HOSTS, "image": IMAGE, "machines": found, **more})
    whole = whole_site()
    target = whole.target.model_copy(update={"kvm": kvm, "underlay": IPv4Network("10.60.0.0/24")})
    return whole.model_copy(update={"target": target})


def identity(node: Node) -> Identity:
    return Identity(
        "root", ("ssh-ed25519 AAAA me",), Secret(f"key of {node.name}"), f"ssh-ed25519 {node.name}"
    )


def hosts_of(declared: Site) -> dict[str, FakeLibvirt]:
    return {host.name: FakeLibvirt(host.name, declared) for host in machines.declared(declared).hosts}


def planned(declared: Site, hosts: dict[str, FakeLibvirt], answering: tuple[str, ...] = ()) -> Planned:
    facts = {name: host.facts() for name, host in hosts.items()}
    return machines.plan(declared, facts, answering, identity, 1 << 20)


def ground(declared: Site, hosts: dict[str, FakeLibvirt]) -> None:
    do(hosts, machines.plan_ground(declared, {name: host.facts() for name, host in hosts.items()}))


def provision(declared: Site, hosts: dict[str, FakeLibvirt], answering: tuple[str, ...] = ()) -> Planned:
    ground(declared, hosts)
    plan = planned(declared, hosts, answering)
    assert plan.problems == ()
    do(hosts, plan.changes)
    return plan


def test_machines_are_made_apart_and_a_second_plan_is_empty() -> None:
    declared = site()
    hosts = hosts_of(declared)
    plan = provision(declared, hosts)
    assert sorted(plan.makes.values()) == ["kvm-5", "kvm-6"]
    assert {name for host in hosts.values() for name in host.running} == {"oslo-oslo-1", "oslo-oslo-2"}
    again = planned(declared, hosts)
    assert (again.changes, again.problems, again.makes) == ((), (), {})
    assert again.stands == plan.makes
    ground_again = machines.plan_ground(declared, {name: host.facts() for name, host in hosts.items()})
    assert ground_again == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 30))
def test_a_run_killed_anywhere_is_healed_by_the_next_and_removed_whole(commands: int) -> None:
    declared = site()
    hosts = hosts_of(declared)
    for host in hosts.values():
        host.cut_after = commands
    try:
        provision(declared, hosts)
    except PowerCut:
        for host in hosts.values():
            host.cut_after = 1_000_000
    provision(declared, hosts)
    assert planned(declared, hosts).changes == ()
    assert sum(len(host.running) for host in hosts.values()) == 2
    seeds = {name: content for host in hosts.values() for name, content in host.seeds.items()}
    assert len(seeds) == 2
    assert all(content[32769:32774] == b"CD001" for content in seeds.values())


def test_what_it_removes_carries_its_mark_and_nothing_else() -> None:
    declared = site()
    hosts = hosts_of(declared)
    provision(declared, hosts)
    other = declared.model_copy(update={"name": "other"})
    kvm = machines.declared(other)
    xml, _ = machine_xml.domain("other", kvm, kvm.hosts[0], kvm.machines[0], other.target.nodes[0])
    first = hosts["kvm-5"]
    first.domains["other-oslo-1"] = ElementTree.fromstring(xml)  # noqa: S314 - our own
    first.domains["web"] = ElementTree.fromstring(  # noqa: S314
        "<domain><name>web</name><uuid>1</uuid><memory>1024</memory><vcpu>1</vcpu></domain>"
    )
    first.volumes |= {"web.qcow2": (1, ""), "safe-harbor-other-oslo-1.qcow2": (1, "")}
    removal = machines.plan_removal(declared, {name: host.facts() for name, host in hosts.items()})
    assert sorted(change.subject for change in removal) == ["machine oslo-oslo-1", "machine oslo-oslo-2"]
    do(hosts, removal)
    assert sorted(first.domains) == ["other-oslo-1", "web"]
    image = machine_xml.image_volume(kvm)
    assert sorted(first.volumes) == sorted(["web.qcow2", "safe-harbor-other-oslo-1.qcow2", image])
    assert machines.plan_removal(declared, {name: host.facts() for name, host in hosts.items()}) == []


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 8))
def test_a_removal_that_is_killed_is_ended_by_the_next(commands: int) -> None:
    declared = site()
    hosts = hosts_of(declared)
    provision(declared, hosts)
    for host in hosts.values():
        host.cut_after = commands
    try:
        do(hosts, machines.plan_removal(declared, {name: host.facts() for name, host in hosts.items()}))
    except PowerCut:
        for host in hosts.values():
            host.cut_after = 1_000_000
        do(hosts, machines.plan_removal(declared, {name: host.facts() for name, host in hosts.items()}))
    assert all(host.domains == {} for host in hosts.values())
    assert all(
        list(host.volumes) == [machine_xml.image_volume(machines.declared(declared))]
        for host in hosts.values()
    )


def test_a_mark_that_names_somebody_elses_disk_does_not_make_it_ours() -> None:
    declared = site()
    hosts = hosts_of(declared)
    provision(declared, hosts)
    for host in hosts.values():
        for domain in host.domains.values():
            for volume in domain.iter(f"{{{machine_xml.MARK_URI}}}volume"):
                volume.set("name", "safe-harbor-customer-data.qcow2")
        host.volumes["safe-harbor-customer-data.qcow2"] = (1, "")
    do(hosts, machines.plan_removal(declared, {name: host.facts() for name, host in hosts.items()}))
    assert all("safe-harbor-customer-data.qcow2" in host.volumes for host in hosts.values())


def test_a_machine_that_answers_is_taken_over_and_not_made() -> None:
    declared = site()
    hosts = hosts_of(declared)
    plan = provision(declared, hosts, answering=("oslo-1",))
    assert list(plan.makes) == ["oslo-2"]
    assert all("oslo-oslo-1" not in host.domains for host in hosts.values())


@pytest.mark.parametrize("what", ["machine", "disk", "seed"])
def test_what_has_the_name_and_is_not_ours_stands_in_the_way(what: str) -> None:
    declared = site()
    hosts = hosts_of(declared)
    ground(declared, hosts)
    named = Named("oslo", "oslo-1")
    if what == "machine":
        hosts["kvm-6"].domains[named.domain] = ElementTree.fromstring(  # noqa: S314
            f"<domain><name>{named.domain}</name><uuid>1</uuid><memory>1024</memory><vcpu>1</vcpu></domain>"
        )
    else:
        hosts["kvm-6"].volumes[named.disk if what == "disk" else named.seed] = (1, "")
    plan = planned(declared, hosts)
    assert plan.changes == ()
    (problem,) = plan.problems
    assert problem.startswith("kvm-6 has a ")
    assert named.domain in problem


def test_where_there_is_no_room_nothing_is_changed_and_every_reason_is_said() -> None:
    declared = site()
    hosts = hosts_of(declared)
    hosts["kvm-6"].memory = 4
    plan = planned(declared, hosts)
    assert plan.changes == ()
    (problem,) = plan.problems
    assert "kvm-6: 2048 MiB of memory free, 4096 wanted" in problem
    assert "kvm-5: a machine of data stands there" in problem


def test_a_changed_declaration_is_defined_again_and_the_machine_goes_on() -> None:
    declared = site()
    hosts = hosts_of(declared)
    provision(declared, hosts)
    larger = site([{**MACHINES[0], "memory_mib": 6144}, MACHINES[1]])
    for host in hosts.values():
        host.site = larger
    (change,) = planned(larger, hosts).changes
    assert change.subject == "machine oslo-oslo-1"
    assert "next shut down" in change.why
    do(hosts, [change])
    assert planned(larger, hosts).changes == ()


def test_a_host_that_cannot_run_it_or_has_another_pool_is_named() -> None:
    declared = site(hosts=[{**HOSTS[0], "accelerator": "kvm"}], machines=MACHINES[:1])
    hosts = hosts_of(declared)
    hosts["kvm-5"].pools["safe-harbor"] = "/srv/elsewhere"
    hosts["kvm-5"].networks["safe-harbor"] = "br9"
    assert planned(declared, hosts).problems == (
        "kvm-5: the pool safe-harbor is of kind dir, at /srv/elsewhere",
        "kvm-5: the network safe-harbor leads onto br9",
    )


def test_the_private_key_is_neither_shown_nor_an_argument() -> None:
    declared = site()
    hosts = hosts_of(declared)
    ground(declared, hosts)
    for change in planned(declared, hosts).changes:
        assert "key of oslo" not in repr(change) + str(change)


def test_no_value_becomes_markup() -> None:
    declared = site()
    kvm = machines.declared(declared)
    node = declared.target.nodes[0].model_copy(update={"name": "x'/><script>&"})
    xml, _ = machine_xml.domain("oslo", kvm, kvm.hosts[0], kvm.machines[0], node)
    root = ElementTree.fromstring(xml)  # noqa: S314
    assert root.findtext("name") == "oslo-x'/><script>&"
    assert root.find(".//script") is None


def test_the_machine_is_as_declared() -> None:
    declared = site(
        [{"node": "oslo-1", "vcpus": 8, "queues": 4, "hugepages": True, "disk_cache": "writeback"}
         | {"disk_io": "threads", "io_threads": 2, "cpu_model": "EPYC"}]
    )  # fmt: skip
    kvm = machines.declared(declared)
    xml, digest = machine_xml.domain("oslo", kvm, kvm.hosts[0], kvm.machines[0], declared.target.nodes[0])
    root = ElementTree.fromstring(xml)  # noqa: S314
    disk, seed = (each.find("driver") for each in root.findall("devices/disk"))
    assert disk is not None
    assert seed is not None
    assert {each.get("bus") for each in root.iterfind("devices/disk/target")} == {"virtio"}
    assert [each.find("readonly") is not None for each in root.findall("devices/disk")] == [False, True]
    assert {
        "cache": "writeback",
        "io": "threads",
        "queues": "4",
        "iothread": "1",
    }.items() <= disk.attrib.items()
    card = root.find("devices/interface/driver")
    assert card is not None
    assert card.attrib == {"queues": "4"}, "vhost where the host has it: named, it is a must"
    assert root.findtext("cpu/model") == "EPYC"
    assert root.find("memoryBacking/hugepages") is not None
    assert (root.findtext("vcpu"), root.findtext("iothreads")) == ("8", "2")
    assert digest in xml
