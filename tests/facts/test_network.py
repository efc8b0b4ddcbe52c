"""The facts about a pod network, against what real programs printed on a node of a joined cluster."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.facts import (
    conntrack,
    counters,
    flannel,
    iptables,
    kube_proxy,
    links,
    neighbour_cache,
    neighbours,
    nftables,
    probe,
    routes,
)

DATA = Path(__file__).parents[1] / "data" / "dataplane"


def recorded(name: str) -> str:
    return (DATA / name).read_text()


def test_subnet() -> None:
    found = flannel.parse_subnet(recorded("subnet.txt"))
    assert found == flannel.SubnetEnv(
        IPv4Network("10.244.0.0/16"), IPv4Interface("10.244.99.1/24"), 1450, True
    )
    assert flannel.parse_subnet("") is None


@pytest.mark.parametrize("text", ["FLANNEL_NETWORK=10.244.0.0/16", "nonsense", "FLANNEL_MTU=x\n"])
def test_half_a_subnet_file_is_no_subnet(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        flannel.parse_subnet(text)


def test_configuration_in_etcd() -> None:
    found = flannel.parse_config(recorded("etcd-config.txt"))
    assert found is not None
    assert found["Backend"]["Type"] == "vxlan"
    assert flannel.parse_config("\n") is None
    with pytest.raises(ValueError, match="object expected"):
        flannel.parse_config("[1]")


def test_links() -> None:
    found = links.parse(recorded("links.txt"))
    assert found["eth0"].mtu == 1500
    assert found["cni0"].kind == "bridge"
    assert found["flannel.1"].mtu == 1450
    assert found["flannel.1"].vxlan == links.Vxlan(1, "10.60.0.12", 8472, False, "eth0")


def test_routes_and_neighbours() -> None:
    ways = {route.destination: route for route in routes.parse(recorded("routes.txt"))}
    assert ways["10.244.84.0/24"] == routes.Route("10.244.84.0/24", "10.244.84.0", "flannel.1", True)
    assert ways["10.244.99.0/24"].via == ""
    near = {n.address: n for n in neighbours.parse_neighbours(recorded("neighbours.txt"))}
    assert near["10.244.84.0"].states == ("PERMANENT",)
    far = {f.mac: f.destination for f in neighbours.parse_forwarding(recorded("forwarding.txt"))}
    assert far[near["10.244.84.0"].mac] == "10.60.0.11"


def test_iptables() -> None:
    rules = iptables.parse(recorded("iptables.txt"))
    assert rules.chain("nat", "NONE") is None
    assert rules.jumps("filter", "FORWARD").count("FLANNEL-FWD") == 1
    assert rules.chains("KUBE-PORTALS-") == ()
    found = rules.endpoints()
    assert found["default/kubernetes:https"] == {"10.60.0.11:6443"}
    assert len(found["safe-harbor-probe/probe:http"]) == 6
    with pytest.raises(ValueError, match="not a line of iptables-save"):
        iptables.parse("*nat\nhello\n")


def test_chains_of_userspace_mode_are_told_from_others() -> None:
    assert iptables.parse(recorded("iptables.txt")).userspace() == {}
    left = iptables.parse(recorded("iptables-userspace.txt")).userspace()
    assert {table: len(chains) for table, chains in left.items()} == {"filter": 1, "nat": 4}


def test_the_nftables_table_of_kube_proxy() -> None:
    found = nftables.parse(recorded("nft-kube-proxy.txt"))
    assert found.there
    assert found.endpoints["default/kubernetes:https"] == {"10.199.0.1:6443"}
    three = {f"10.200.2.{number}:10411" for number in (10, 11, 12)}
    assert found.endpoints["default/nftables-0"] == three
    assert not nftables.parse("\n").there
    with pytest.raises(ValueError, match="table ip kube-proxy"):
        nftables.parse("table ip nat {\n}\n")


def test_endpoints_behind_session_affinity_are_in_the_names_of_their_chains() -> None:
    chain = "service-ABCD2345-shop/shop/tcp/http"
    goto = "goto endpoint-QWER7777-shop/shop/tcp/http__10.244.1."
    text = (
        f"table ip kube-proxy {{\n\tchain {chain} {{\n\t\tip saddr @affinity-X {goto}5/8080\n"
        f"\t\tnumgen random mod 2 vmap {{ 0 : {goto}5/8080,\n\t\t\t 1 : {goto}6/8080 }}\n\t}}\n}}\n"
    )
    assert nftables.parse(text).endpoints == {"shop/shop:http": {"10.244.1.5:8080", "10.244.1.6:8080"}}


def test_iptables_variants() -> None:
    assert iptables.parse_variants(recorded("variants.txt")) == {"legacy": 0, "nft": 79}
    with pytest.raises(ValueError, match="legacy and nft"):
        iptables.parse_variants("nft 3\n")


def test_conntrack() -> None:
    found = conntrack.parse(recorded("conntrack.txt"))
    assert (found.max, found.count, found.cores) == (262144, 565, 2)
    assert found.wanted_max == 131072
    assert found.refused == {"insert_failed": 0, "drop": 0, "early_drop": 0}


def test_conntrack_sums_the_processors_in_hexadecimal() -> None:
    text = "cores 8\nentries insert_failed drop early_drop\n1 a 1 0\n1 5 f 2\n"
    found = conntrack.parse(text)
    assert found.refused == {"insert_failed": 15, "drop": 16, "early_drop": 2}
    assert found.wanted_max == 8 * 32768
    assert found.max is None
    with pytest.raises(ValueError, match="zip"):
        conntrack.parse("cores 8\nentries drop\n1 2 3\n")


def test_no_restore_failure_is_told_from_no_answer() -> None:
    text = recorded("proxy-metrics.txt")
    assert kube_proxy.restore_failures(text) == 0
    for name in kube_proxy.RESTORE_FAILURES:
        counted = f'{name}{{ip_family="IPv4"}} 3\n'
        assert kube_proxy.restore_failures(text + counted + counted.replace("IPv4", "IPv6")) == 6
    with pytest.raises(KeyError):
        kube_proxy.restore_failures("# nothing of kube-proxy\n")


def test_answers_of_the_probe() -> None:
    hits = probe.parse_hits(recorded("probe-hits.json"))
    assert (hits.requests, hits.errors, sum(hits.by.values())) == (12, 0, 12)
    open_port, closed_port = probe.parse_dialled(recorded("probe-tcp.json"))
    assert open_port.ok
    assert "refused" in closed_port.error
    assert probe.parse_got(recorded("probe-get.json")).status == 200
    assert probe.parse_load(recorded("probe-load.json")).errors == 0
    assert probe.parse_cpu(recorded("probe-cpu.json")).cores == 2
    assert probe.parse(recorded("probe-pmtu.json"))["outcome"] == "refused"


@given(st.text(max_size=40))
def test_anything_else_is_refused_and_never_taken_for_an_answer(text: str) -> None:
    for parse in (probe.parse_hits, probe.parse_dialled, probe.parse_got, probe.parse_load, probe.parse_cpu):
        with pytest.raises((ValueError, KeyError)):
            parse(text)


def test_counters() -> None:
    found = counters.parse(recorded("counters.txt"))
    assert found["Ip.FragFails"] == 0
    assert {"Udp.InCsumErrors", "TcpExt.IPReversePathFilter", "TcpExt.PAWSTimewait", "Ip.FragCreates"} <= set(
        found
    )
    assert found["TcpExt.TCPSynRetrans"] >= 0
    assert counters.parse("Udp: A B\nUdp: 1 -2\n") == {"Udp.A": 1, "Udp.B": -2}


@pytest.mark.parametrize("text", ["Udp: A B\nUdp: 1\n", "Udp: A\nTcp: 1\n", "Udp: A\n"])
def test_half_a_table_of_counters_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"counters of|zip"):
        counters.parse(text)


def test_the_neighbour_tables_statistics_are_summed_over_processors() -> None:
    text = recorded("arp-cache.txt")
    found = neighbour_cache.parse(text)
    assert found is not None
    assert (found.entries, found.table_fulls) == (0x21, 0)
    full = neighbour_cache.parse(text.replace("00000000\n", "0000000a\n"))
    assert full is not None
    assert full.table_fulls == 20
    assert neighbour_cache.parse("") is None


def test_leases_of_flannel() -> None:
    assert flannel.parse_leases(recorded("leases.txt"))["10.244.84.0/24"] == "10.60.0.11"
    assert flannel.parse_leases("") == {}
    with pytest.raises(ValueError, match="zip"):
        flannel.parse_leases("/coreos.com/network/subnets/10.244.84.0-24\n")


def test_bulk_and_lookups_of_the_probe() -> None:
    bulk = probe.parse_bulk(recorded("probe-bulk.json"))
    assert bulk.bytes == 1 << 20
    assert bulk.error == ""
    assert len(bulk.by) >= 4
    lookups = probe.parse_lookups(recorded("probe-names.json"))
    assert (lookups.lookups, lookups.lost) == (500, 0)
    with pytest.raises(KeyError):
        probe.parse_lookups("{}")
