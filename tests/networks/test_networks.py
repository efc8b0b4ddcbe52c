"""Networks are found by being there, refuse an impossible site, and plan in order."""

from __future__ import annotations

import pytest

from inventory.errors import BadInput
from inventory.models.cluster import Network
from tasks.facts.flannel import ask_config
from tasks.networks.flannel_vxlan import FlannelVxlan
from tasks.networks.registry import networks, of_site
from tests.operations.network_site import facts, site


def test_flannel_vxlan_is_there_and_is_the_default() -> None:
    assert "flannel_vxlan" in networks()
    assert of_site(site()).kind == "flannel_vxlan"


def test_an_unknown_network_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(BadInput, match=r"no network 'weave'; known: .*flannel_vxlan"):
        of_site(site(network=Network(kind="weave")))


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
    assert isinstance(network, FlannelVxlan)
    assert network.shared_on().name == "oslo-1"
    assert network.etcd().endpoints == "https://10.60.0.11:2379"
    (asked,) = network.shared_questions()
    assert asked == ask_config(network.etcd())
    assert len(network.plan_shared(facts("oslo-1", (asked, "")))) == 1
