"""Networks are found by being there, refuse an impossible site, and plan in order."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.models.change import PutFile, Run
from inventory.models.cluster import BgpPeer, Network
from inventory.models.site import Site
from tasks.drivers.errors import ServiceFailed
from tasks.facts import files as file_facts
from tasks.facts import link_checksum
from tasks.facts import modules as module_facts
from tasks.facts import packages as package_facts
from tasks.facts.flannel import ask_config, ask_configured, ask_subnet
from tasks.networks.flannel import Flannel
from tasks.networks.registry import networks, of_site
from tasks.operations import bird, cni, flannel, vxlan_checksum
from tasks.operations.units import UNITS
from tests.operations.network_site import facts, files_answer, service_answers, site

TOR = BgpPeer(address=IPv4Address("10.60.0.1"), as_number=64513)
SUBNET = (
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.99.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
)
CALICO = """\
kind: ConfigMap
---
kind: DaemonSet
metadata: {name: calico-node}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          env: [{name: CALICO_IPV4POOL_CIDR, value: "10.244.0.0/16"}, {name: IP, valueFrom: {}}]
"""


def answers(declared: Site, **more: str) -> Any:
    """A bare second node's answers; `subnet` and `unit` are what an earlier flanneld has left."""
    node, cluster = declared.target.nodes[1], declared.target.cluster
    etcd = flannel.etcd_access("https://10.60.0.11:2379")
    service = flannel.service(node, cluster, etcd)
    told = bird.service(node, cluster)
    at_boot = "/etc/modules-load.d/safe-harbor-network.conf"
    return node, facts(
        node.name,
        *service_answers(service, flannel.questions(node, cluster, etcd), running=False),
        *service_answers(told, bird.questions(node, cluster), running=False),
        (ask_configured(f"{UNITS}/{flannel.UNIT}"), more.get("unit", "")),
        (file_facts.ask([cni.CONFLIST]), files_answer([cni.CONFLIST])),
        (ask_subnet(), more.get("subnet", "")),
        (file_facts.ask([vxlan_checksum.PATH]), files_answer([vxlan_checksum.PATH])),
        (link_checksum.ask(vxlan_checksum.link_of(cluster) or "none"), "absent"),
        (module_facts.ask(("wireguard",)), f"wireguard\t{more.get('module', 'loadable')}\n"),
        (file_facts.ask((at_boot,)), files_answer([at_boot])),
        (package_facts.ask((bird.PACKAGE,)), more.get("packages", "")),
    )


def subjects(declared: Site, **more: str) -> list[str]:
    node, found = answers(declared, **more)
    return [change.subject for change in of_site(declared).plan_node(node, found)]


def test_every_network_is_there_and_vxlan_is_the_default() -> None:
    assert set(networks()) == {
        *("bgp", "calico", "flannel_host_gw", "flannel_vxlan", "flannel_wireguard", "weave"),
    }
    assert of_site(site()).kind == "flannel_vxlan"


def test_an_unknown_network_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(BadInput, match=r"no network 'cilium'; known: .*flannel_vxlan"):
        of_site(site(network=Network(kind="cilium")))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network(kind="weave"), "archived in 2024.*allowed instead: flannel_wireguard"),
        (Network(kind="bgp"), "bgp needs the routers.*without one take flannel_host_gw"),
        (
            Network(kind="bgp", as_number=64513, bgp_peers=(TOR,)),
            "10.60.0.1 has the nodes' own AS number 64513",
        ),
        (Network(kind="calico"), "publishes .*give its path"),
        (Network(encrypted=True), "flannel_vxlan does not encrypt.*allowed: flannel_wireguard"),
    ],
)
def test_what_a_site_cannot_carry_is_refused(network: Network, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        of_site(site(network=network))


def test_host_gw_wants_all_nodes_on_the_declared_underlay() -> None:
    declared = site(network=Network(kind="flannel_host_gw"))
    assert of_site(declared).kind == "flannel_host_gw"
    target = declared.target.model_copy(update={"underlay": IPv4Network("10.60.0.0/29")})
    with pytest.raises(BadInput, match=r"outside target.underlay 10.60.0.0/29: oslo-1, oslo-2, oslo-3"):
        of_site(declared.model_copy(update={"target": target}))


@pytest.mark.parametrize(
    ("prefix", "length", "fits"), [("/22", 24, True), ("/23", 24, False), ("/26", 28, True)]
)
def test_too_few_subnets_for_the_nodes_are_refused(prefix: str, length: int, fits: bool) -> None:
    declared = site(pod_cidr=f"10.244.0.0{prefix}", subnet_len=length)
    if fits:
        assert of_site(declared)
    else:
        with pytest.raises(BadInput, match="1 usable subnets of length 24 for 3 nodes"):
            of_site(declared)


def test_the_shared_part_belongs_to_the_control_plane() -> None:
    network = of_site(site())
    assert isinstance(network, Flannel)
    assert network.shared_on().name == "oslo-1"
    assert network.etcd().endpoints == "https://10.60.0.11:2379"
    (asked,) = network.shared_questions()
    assert asked == ask_config(network.etcd())
    assert len(network.plan_shared(facts("oslo-1", (asked, "")))) == 1


@pytest.mark.parametrize(
    ("network", "backend"),
    [
        (Network(), {"Type": "vxlan", "VNI": 1, "Port": 8472}),
        (Network(kind="flannel_host_gw"), {"Type": "host-gw"}),
        (Network(kind="flannel_wireguard"), {"Type": "wireguard", "ListenPort": 51820}),
        (Network(kind="bgp", bgp_peers=(TOR,)), {"Type": "alloc"}),
    ],
)
def test_each_kind_has_its_backend(network: Network, backend: dict[str, Any]) -> None:
    assert flannel.network_config(site(network=network).target.cluster)["Backend"] == backend


def test_a_node_that_runs_another_backend_is_to_be_emptied_first() -> None:
    was, shall = site(), site(network=Network(kind="flannel_host_gw"))
    first_line = (
        f"# Written by safe-harbor; network configuration sha256 {flannel.digest(was.target.cluster)}"
    )
    for declared, unit, subnet, replaced in (
        (shall, first_line, SUBNET, True),
        (was, first_line, SUBNET, False),
        (shall, "", "", False),
        (shall, first_line, "", False),
    ):
        _, found = answers(declared, unit=unit, subnet=subnet)
        assert of_site(declared).replaces(found) is replaced


def test_wireguard_needs_the_kernels_module_and_loads_it_at_boot() -> None:
    declared = site(network=Network(kind="flannel_wireguard"))
    assert subjects(declared)[:2] == [
        "file /etc/modules-load.d/safe-harbor-network.conf",
        "kernel module wireguard",
    ]
    with pytest.raises(ServiceFailed, match=r"oslo-2: its kernel has no WireGuard.*linux-image-amd64"):
        subjects(declared, module="missing")


def test_bgp_installs_bird_and_tells_the_routers_of_its_own_subnet_only() -> None:
    declared = site(network=Network(kind="bgp", bgp_peers=(TOR,)))
    assert subjects(declared)[0] == "packages bird2"
    assert subjects(declared)[-2:] == [f"file {UNITS}/bird.service", "service bird.service"]
    text = bird.config(declared.target.nodes[1], declared.target.cluster)
    assert "local 10.60.0.12 as 64512;" in text
    assert "neighbor 10.60.0.1 as 64513;" in text
    assert text.count("net ~ [ 10.244.0.0/16{24,24} ]") == 2
    assert text.count("{") == text.count("}")


def calico_site(tmp_path: Path, text: str = CALICO) -> Site:
    path = tmp_path / "calico.yaml"
    path.write_text(text)
    return site(network=Network(kind="calico", manifests=path))


def test_calicos_manifests_are_applied_once_for_each_content(tmp_path: Path) -> None:
    network = of_site(calico_site(tmp_path))
    (asked,) = network.shared_questions()
    path = "/var/lib/safe-harbor/applied/calico"
    (change,) = network.plan_shared(facts("oslo-1", (asked, files_answer([path]))))
    run, stamp = change.apply
    assert isinstance(run, Run)
    assert isinstance(stamp, PutFile)
    assert run.stdin == CALICO.encode()
    done = f"{path}\tfile\t{network._stamp.sha256}\t644\n"  # type: ignore[attr-defined] # Calico's
    assert network.plan_shared(facts("oslo-1", (asked, done))) == []


def test_calico_is_refused_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no DaemonSet calico-node"):
        of_site(calico_site(tmp_path, "kind: ConfigMap\n"))
    with pytest.raises(BadInput, match=r"CALICO_IPV4POOL_CIDR is 192.168.0.0/16"):
        of_site(calico_site(tmp_path, CALICO.replace("10.244.0.0/16", "192.168.0.0/16")))
    with pytest.raises(BadInput, match="are not YAML"):
        of_site(calico_site(tmp_path, "a: [\n"))
    (tmp_path / "calico.yaml").unlink()
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        of_site(site(network=Network(kind="calico", manifests=tmp_path / "calico.yaml")))


def test_calico_does_not_take_flannels_place(tmp_path: Path) -> None:
    network = of_site(calico_site(tmp_path))
    node = site().target.nodes[1]
    assert network.plan_node(node, facts(node.name, (ask_subnet(), ""))) == []
    with pytest.raises(ServiceFailed, match="stand up a new cluster"):
        network.plan_node(node, facts(node.name, (ask_subnet(), SUBNET)))
