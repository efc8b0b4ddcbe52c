"""The data plane of a cluster that somebody else built: no false alarm, and remedies that fit it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inventory.models.cluster import KubeProxy, Network, ProxyMode
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.registry import in_group
from tasks.facts import flannel, flanneld, iptables, nftables, routes
from tasks.networks.recognise import fabric_of
from tests.checks.dataplane.plane import FLANNELD, SUBJECT, SUBNETS, judged, recorded, verdict
from tests.checks.dataplane.test_checks import edited, nft_table, says
from tests.networks import stock
from tests.networks.cluster import MemoryKube

STOCK = fabric_of(MemoryKube().put(*stock.objects()))
WITHOUT_PORT = "".join(line for line in FLANNELD.splitlines(keepends=True) if not line.startswith("flag"))
NO_RULES = "*nat\nCOMMIT\n"


def everywhere(code: str, **options: Any) -> list[Finding]:
    return judged(code, ours=False, network=STOCK.network, **options)


def of_subject(findings: list[Finding]) -> Finding:
    (found,) = [each for each in findings if each.subject == SUBJECT]
    return found


def test_a_stock_flannel_without_health_port_is_ready_by_its_subnet() -> None:
    found = of_subject(everywhere("FL-READY", host=says(flanneld.ask(), WITHOUT_PORT)))
    assert (found.verdict, "has no health port" in found.observed) == (Verdict.PASS, True)


@pytest.mark.parametrize(
    ("process", "expected", "told"),
    [
        (WITHOUT_PORT.replace("subnet_s\t1000051", "subnet_s\t1000001"), Verdict.WARN, "older than"),
        (WITHOUT_PORT.replace("subnet_s\t1000051\n", ""), Verdict.FAIL, "has no subnet"),
        ("booted_s\t1\nticks_a_second\t100\n", Verdict.FAIL, "no process flanneld"),
        (WITHOUT_PORT.replace("flanneld", "k3s-server"), Verdict.PASS, "k3s-server has no health port"),
    ],
)
def test_a_flannel_that_cannot_be_asked_is_judged_by_its_process(
    process: str, expected: Verdict, told: str
) -> None:
    found = of_subject(everywhere("FL-READY", host=says(flanneld.ask(), process)))
    assert (found.verdict, told in found.observed) == (expected, True)


def test_the_health_port_of_its_command_line_is_asked() -> None:
    asked = FLANNELD.replace("port=10401", "port=8285").replace("ip=127.0.0.1", "ip=0.0.0.0")
    ill = {"readyz": {"status": 503, "body": "", "error": ""}}
    found = of_subject(everywhere("FL-READY", host=says(flanneld.ask(), asked), pods=ill))
    assert found.verdict is Verdict.FAIL
    assert "http://127.0.0.1:8285/readyz" in found.evidence[1].source
    assert "kubectl -n kube-flannel logs" in found.remedy


def test_an_old_flannel_knows_healthz_alone() -> None:
    pods = {"readyz": {"status": 404, "body": "", "error": ""}}
    assert of_subject(everywhere("FL-READY", pods=pods)).observed == "/readyz: 404, /healthz: 200"
    pods["healthz"] = {"status": 500, "body": "", "error": ""}
    assert verdict(everywhere("FL-READY", pods=pods)) is Verdict.FAIL


def test_direct_routes_of_its_own_configuration_are_no_fault() -> None:
    plain = recorded("routes.txt").replace(
        '"gateway":"10.244.84.0","dev":"flannel.1"', '"gateway":"10.60.0.11","dev":"eth0"'
    )
    direct = fabric_of(MemoryKube().put(*stock.objects(backend={"DirectRouting": True}))).network
    host = says(routes.ask(), plain)
    assert verdict(judged("FL-PEERS", ours=False, network=direct, host=host)) is Verdict.PASS
    assert verdict(everywhere("FL-PEERS", host=host)) is Verdict.FAIL


def test_a_flannel_in_nftables_is_not_judged_by_iptables() -> None:
    tables = says(nftables.ask_tables(), "table ip kube-proxy\ntable ip flannel-ipv4\n")
    none = says(iptables.ask(), "*nat\nCOMMIT\n")
    found = of_subject(everywhere("FL-MASQ", host=tables | none))
    assert (found.verdict, "ip flannel-ipv4" in found.observed) == (Verdict.WARN, True)
    assert verdict(everywhere("FL-MASQ", host=none)) is Verdict.FAIL
    assert verdict(judged("FL-MASQ", host=tables | none)) is Verdict.FAIL, "ours writes iptables"


TWO = says(nftables.ask(), nft_table())
NFT_ALONE = TWO | says(iptables.ask(), NO_RULES)
LEFT = edited(
    iptables.ask(), "iptables.txt", ":KUBE-SERVICES ", ":KUBE-PORTALS-HOST - [0:0]\n:KUBE-SERVICES "
)


@pytest.mark.parametrize(
    ("declared", "said", "host", "expected"),
    [
        ("", "iptables", {}, Verdict.PASS),
        ("nftables", "nftables", NFT_ALONE, Verdict.PASS),
        ("ipvs", "ipvs", says(iptables.ask(), NO_RULES), Verdict.PASS),
        ("winkernel", "iptables", {}, Verdict.PASS),  # what is declared is not known: its own word is judged
        ("nftables", "iptables", {}, Verdict.FAIL),
        ("", "nftables", NFT_ALONE, Verdict.FAIL),
        ("", "userspace", {}, Verdict.FAIL),
        ("winkernel", "userspace", {}, Verdict.FAIL),
        ("userspace", "userspace", {}, Verdict.FAIL),
        ("nftables", "nftables", TWO, Verdict.FAIL),
        ("", "iptables", LEFT, Verdict.FAIL),
        ("", "", {}, Verdict.WARN),  # its metrics are bound to another address
        ("", "", says(iptables.ask(), NO_RULES), Verdict.FAIL),
    ],
)
def test_the_mode_is_judged_by_what_that_cluster_declares(
    declared: str, said: str, host: dict[str, str], expected: Verdict
) -> None:
    proxy = fabric_of(MemoryKube().put(*stock.objects(mode=declared))).kube_proxy
    error = "" if said else "Connection refused"
    pods = {"proxyMode": {"status": 200 if said else 0, "body": said, "error": error}}
    found = of_subject(everywhere("KP-MODE", host=host, pods=pods, proxy=proxy))
    assert found.verdict is expected, found.observed
    if expected is Verdict.FAIL:
        assert "kubectl -n kube-system edit configmap kube-proxy" in found.remedy


@pytest.mark.parametrize(
    ("mode", "host", "expected"),
    [
        (ProxyMode.UNKNOWN, {}, Verdict.PASS),
        (ProxyMode.UNKNOWN, NFT_ALONE, Verdict.PASS),
        (ProxyMode.UNKNOWN, says(iptables.ask(), NO_RULES), Verdict.FAIL),
    ],
)
def test_rules_of_an_unknown_mode_are_those_that_are_there(
    mode: ProxyMode, host: dict[str, str], expected: Verdict
) -> None:
    assert verdict(everywhere("KP-ENDPOINTS", host=host, proxy=KubeProxy(mode=mode))) is expected


def test_rules_of_ipvs_are_not_read_and_never_pass() -> None:
    (found,) = everywhere("KP-ENDPOINTS", proxy=KubeProxy(mode=ProxyMode.IPVS))
    assert (found.subject, found.verdict) == ("site", Verdict.WARN)


@pytest.mark.parametrize(
    ("code", "spoiled"),
    [
        ("FL-LINK", {"network": Network(kind="flannel_host_gw")}),
        ("FL-MTU", {"host": says(flannel.ask_subnet(), "")}),
        ("FL-PMTU", {"host": says(flannel.ask_subnet(), "")}),
        ("FL-SUBNET", {"host": says(flannel.ask_subnet(), "")}),
        ("FL-PEERS", {"host": says(routes.ask(), "[]")}),
        ("FL-MASQ", {"host": says(iptables.ask(), NO_RULES)}),
        ("KP-MODE", {"host": says(iptables.ask(), NO_RULES)}),
        ("KP-ENDPOINTS", {"host": says(iptables.ask(), NO_RULES)}),
        ("KP-HEALTH", {"pods": {"healthz": {"status": 503, "body": "", "error": ""}}}),
    ],
)
def test_a_remedy_for_them_names_the_fix_itself(code: str, spoiled: dict[str, Any]) -> None:
    theirs = of_subject(judged(code, ours=False, **spoiled))
    assert theirs.verdict is Verdict.FAIL
    assert "kubectl" in theirs.remedy
    assert "network" not in theirs.remedy.replace("network configuration", "")
    assert "systemctl" not in theirs.remedy
    ours = of_subject(judged(code, **spoiled)).remedy
    assert "kubectl" not in ours


def test_what_hides_clients_is_mended_in_their_configuration() -> None:
    (found,) = everywhere("KP-MASQ-ALL", proxy=KubeProxy(masquerade_all=True))
    assert found.remedy.startswith("set masqueradeAll: false: kubectl -n kube-system edit configmap")
    many = [
        {"kind": "Service", "metadata": {"name": f"s{n}", "namespace": "shop"}, "spec": {}}
        for n in range(1001)
    ]
    (found,) = everywhere("KP-SCALE", objects=many)
    assert "set mode: nftables: kubectl" in found.remedy


PROBELESS = {"KP-VIP-NODE", "KP-NODEPORT", "KP-DIAL", "CT-HEADROOM", "FL-MTU", "DP-ARP"}


@pytest.mark.parametrize("code", sorted(PROBELESS))
def test_what_needs_no_probe_pod_is_judged_without(code: str) -> None:
    found = judged(code, ours=False, only_looks=True, network=STOCK.network)
    assert {each.subject for each in found} == set(SUBNETS)
    assert verdict(found) is Verdict.PASS


def test_whatever_else_is_left_to_the_probes_says_so() -> None:
    unasked = {
        check.code
        for check in in_group("dataplane")
        if any(
            each.verdict is Verdict.ERROR and "probe" in each.observed
            for each in judged(check.code, ours=False, only_looks=True, network=STOCK.network)
        )
    }
    assert unasked == {
        "CT-DNS", "CT-DROPS", "CT-PAWS", "DP-RPF-DROPS", "FL-CSUM", "FL-FRAG", "FL-PMTU", "KP-HAIRPIN",
        "KP-VIP-POD", "PATH-BULK", "PATH-NODE-PODS", "PATH-NODES", "PATH-PODS",
    }  # fmt: skip


VIRTUAL = "10.96.0.1:443"


def test_a_service_that_takes_no_connection_is_named_without_probes() -> None:
    found = of_subject(judged("KP-VIP-NODE", ours=False, only_looks=True, pods={"tcp": VIRTUAL}))
    assert found.verdict is Verdict.FAIL
    assert f"default/kubernetes:https at {VIRTUAL}: timed out" in found.observed
    ports = [
        port["nodePort"]
        for service in json.loads(recorded("services.json"))
        for port in service["spec"]["ports"]
        if "nodePort" in port
    ]
    address = f"10.60.0.12:{ports[0]}"
    found = of_subject(judged("KP-NODEPORT", ours=False, only_looks=True, pods={"tcp": address}))
    assert (found.verdict, address in found.observed) == (Verdict.FAIL, True)
    assert found.observed.startswith("asked by oslo-3: ")


def test_the_mtu_of_pods_is_read_at_the_nodes_ends() -> None:
    links = json.loads(recorded("links.txt"))
    ends = [row for row in links if row.get("master") == "cni0"]
    assert ends, "the recorded node has pods"
    ends[0]["mtu"] = 1500
    from tasks.facts import links as question

    host = says(question.ask(), json.dumps(links))
    found = of_subject(judged("FL-MTU", ours=False, only_looks=True, host=host))
    assert (found.verdict, "pods 1450, 1500" in found.observed) == (Verdict.FAIL, True)


def test_a_large_cluster_is_asked_in_shares() -> None:
    many = []
    for number in range(250):
        name = {"name": f"s{number}", "namespace": "shop"}
        ports = [{"port": 80, "protocol": "TCP"}]
        many.append(
            {"kind": "Service", "metadata": name, "spec": {"clusterIP": f"10.96.1.{number}", "ports": ports}}
        )
        many.append(
            {
                "kind": "EndpointSlice",
                "metadata": name | {"labels": {"kubernetes.io/service-name": name["name"]}},
                "addressType": "IPv4",
                "ports": [{"port": 80, "name": ""}],
                "endpoints": [{"addresses": [f"10.244.1.{number}"], "conditions": {"ready": True}}],
            }
        )
    found = judged("KP-VIP-NODE", ours=False, only_looks=True, objects=many)
    assert {each.verdict for each in found} == {Verdict.PASS}
    assert all("100 of 25" in each.observed for each in found)
    assert len({each.evidence[0].digest for each in found}) == len(found), "each node asks another share"
