"""What another network has left: found, removed in an order that works, and never what is declared."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest

from inventory.models.change import Run
from inventory.models.cluster import BgpPeer, Network
from tasks.facts import links, routes, units, weave
from tasks.operations import bird, flannel_leftovers, weave_leftovers
from tests.operations.network_site import facts, site, unit_answer

TOR = BgpPeer(address=IPv4Address("10.60.0.1"), as_number=64513)
PLAIN = {"dst": "10.244.12.0/24", "gateway": "10.60.0.13", "dev": "eth0", "flags": []}
LEARNT = PLAIN | {"protocol": "bird", "metric": 32}
OTHERS = [
    {"dst": "default", "gateway": "10.60.0.1", "dev": "eth0", "flags": []},
    {"dst": "10.60.0.0/24", "dev": "eth0", "protocol": "kernel", "flags": []},
    {"dst": "10.244.99.0/24", "dev": "cni0", "protocol": "kernel", "flags": []},
    {"dst": "192.168.7.0/24", "gateway": "10.60.0.1", "dev": "eth0", "flags": []},
]
VXLAN = {"id": 1, "local": "10.60.0.12", "port": 8472, "link": "eth0"}


def link(name: str, kind: str) -> dict[str, object]:
    data = {"info_kind": kind, "info_data": VXLAN if kind == "vxlan" else {}}
    return {"ifname": name, "mtu": 1450, "flags": ["UP"], "linkinfo": data}


def planned(
    network: Network, there: list[dict[str, object]], ways: list[dict[str, object]], *, told: bool
) -> list[str]:
    found = facts(
        "oslo-2",
        (links.ask(), json.dumps([link("eth0", ""), link("cni0", "bridge"), *there])),
        (routes.ask(), json.dumps([*OTHERS, *ways])),
        (units.ask((bird.UNIT,)), unit_answer(bird.UNIT, running=told)),
    )
    cluster = site(network=network).target.cluster
    return [change.subject for change in flannel_leftovers.plan_node("oslo-2", cluster, found)]


VXLAN_LINK, WIREGUARD_LINK = link("flannel.1", "vxlan"), link("flannel-wg", "wireguard")
PLAIN_ROUTE = "route 10.244.12.0/24 via 10.60.0.13"


@pytest.mark.parametrize(
    ("network", "there", "ways", "told", "goes"),
    [
        (Network(), [VXLAN_LINK], [], False, []),
        (Network(vni=7), [VXLAN_LINK], [], False, ["link flannel.1"]),
        (Network(kind="flannel_host_gw"), [VXLAN_LINK], [PLAIN], False, ["link flannel.1"]),
        (Network(kind="flannel_host_gw"), [], [PLAIN, LEARNT], True, ["service bird.service", PLAIN_ROUTE]),
        (Network(kind="bgp", bgp_peers=(TOR,)), [VXLAN_LINK], [LEARNT], True, ["link flannel.1"]),
        (Network(kind="bgp", bgp_peers=(TOR,)), [], [PLAIN, LEARNT], True, [PLAIN_ROUTE]),
        (Network(kind="flannel_wireguard"), [WIREGUARD_LINK], [PLAIN], False, [PLAIN_ROUTE]),
        (Network(kind="flannel_vxlan"), [WIREGUARD_LINK, VXLAN_LINK], [], False, ["link flannel-wg"]),
    ],
)
def test_only_another_backends_things_go(
    network: Network,
    there: list[dict[str, object]],
    ways: list[dict[str, object]],
    told: bool,
    goes: list[str],
) -> None:
    assert planned(network, there, ways, told=told) == goes


def test_a_route_is_removed_by_who_made_it() -> None:
    found = facts(
        "oslo-2",
        (links.ask(), "[]"),
        (routes.ask(), json.dumps([PLAIN, LEARNT])),
        (units.ask((bird.UNIT,)), unit_answer(bird.UNIT, running=False)),
    )
    cluster = site(network=Network(kind="bgp", bgp_peers=(TOR,))).target.cluster
    (change,) = flannel_leftovers.plan_node("oslo-2", cluster, found)
    learnt, run = change.apply
    assert isinstance(learnt, Run)
    assert "10.244.12.0/24" in str(learnt.command), "the old route goes when the new one is there"
    assert isinstance(run, Run)
    assert str(run.command).endswith("via 10.60.0.13 dev eth0 proto boot")


def test_host_gw_has_routes_of_its_own_before_bird_ends() -> None:
    cluster = site(network=Network(kind="flannel_host_gw")).target.cluster
    for ways, wanted in (([LEARNT], [PLAIN_ROUTE]), ([PLAIN, LEARNT], []), ([PLAIN], [])):
        found = facts("oslo-2", (routes.ask(), json.dumps([*OTHERS, *ways])))
        changes = flannel_leftovers.plan_before("oslo-2", cluster, found)
        assert [change.subject for change in changes] == wanted
    assert flannel_leftovers.plan_before("oslo-2", site().target.cluster, found) == []


WEAVE = """\
link\tweave
link\tvethwe-bridge
link\tdatapath
path\t/opt/cni/bin/weave-net
path\t/etc/cni/net.d/10-weave.conflist
rules\tiptables-nft-save
"""


def test_weave_goes_rules_first_and_its_datapath_last_of_the_links() -> None:
    left = weave.parse(WEAVE)
    changes = weave_leftovers.plan("oslo-2", left)
    assert [change.subject for change in changes] == [
        "chains WEAVE-* (iptables-nft-save)",
        "link vethwe-bridge",
        "link weave",
        "link datapath",
        "path /opt/cni/bin/weave-net",
        "path /etc/cni/net.d/10-weave.conflist",
    ]
    undone = [change.subject for change in changes if not change.undo]
    assert undone == ["link vethwe-bridge", "link weave", "link datapath"], "Weave itself makes them again"


def test_a_node_without_weave_plans_nothing() -> None:
    assert weave_leftovers.plan("oslo-2", weave.parse("")) == []
    with pytest.raises(ValueError, match="2 fields"):
        weave.parse("weave")
