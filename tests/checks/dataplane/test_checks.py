"""Every check of the data plane: a healthy node passes, each spoiled thing fails exactly its own check."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inventory.models.cluster import KubeProxy, Network, ProxyMode
from inventory.models.command import Command
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.dataplane import steal
from tasks.checks.registry import causes, in_group
from tasks.drivers.errors import ServiceFailed
from tasks.facts import (
    conntrack,
    counters,
    cpu,
    flannel,
    iptables,
    links,
    neighbour_cache,
    neighbours,
    nftables,
    routes,
    sysctl,
)
from tests.checks.dataplane import plane
from tests.checks.dataplane.plane import (
    SUBJECT,
    SYSCTLS,
    UNREACHABLE,
    judged,
    recorded,
    settings,
    slices,
    verdict,
)

CODES = [check.code for check in in_group("dataplane")]
SITE_WIDE = {"KP-MASQ-ALL", "NP-ENFORCED", "KP-SCALE"}
FORWARD, BRIDGE, RPF, NEIGH = SYSCTLS


def sysctl_says(keys: tuple[str, ...], *values: str | None) -> dict[str, str]:
    return {sysctl.ask(keys).command.render(): settings(keys, values)}


def says(asked: Any, text: str) -> dict[str, str]:
    return {asked.command.render(): text}


def edited(asked: Any, name: str, old: str, new: str) -> dict[str, str]:
    text = recorded(name)
    assert old in text, f"{old} is not in {name}"
    return says(asked, text.replace(old, new))


def hits(*, errors: int = 0, by: dict[str, int] | None = None) -> dict[str, Any]:
    return {"hits": {"requests": 96, "errors": errors, "by": by or {}, "clients": [], "error": "timeout"}}


def dialled(word: str, address: str) -> dict[str, Any]:
    """This address does not answer."""
    return {word: address}


def rises(asked: Any, name: str, counter: str, by: int = 3) -> dict[str, list[str]]:
    """This counter is higher when it is asked for the second time."""
    text = recorded(name)
    return {asked.command.render(): [text, raised(text, counter, by)]}


def raised(text: str, counter: str, by: int = 3) -> str:
    """The counters with one of them raised: pairs of lines, names and values."""
    protocol, _, wanted = counter.partition(".")
    lines = text.splitlines()
    for number, line in enumerate(lines):
        names = line.split()
        if names[:1] == [f"{protocol}:"] and wanted in names:
            values = lines[number + 1].split()
            place = names.index(wanted)
            values[place] = str(int(values[place]) + by)
            lines[number + 1] = " ".join(values)
            return "\n".join(lines) + "\n"
    raise AssertionError(f"{counter} is not there")


def annotated(*addresses: str) -> list[dict[str, Any]]:
    """Nodes whose flannel keeps its registrations in the API server."""
    key = "flannel.alpha.coreos.com/public-ip"
    return [
        {"kind": "Node", "metadata": {"name": f"oslo-{number}", "annotations": {key: address}}}
        for number, address in enumerate(addresses, start=1)
    ]


COUNTERS = (
    ("FL-CSUM", "Udp.InCsumErrors"),
    ("FL-FRAG", "Ip.FragFails"),
    ("FL-FRAG", "Ip.FragCreates"),
    ("DP-RPF-DROPS", "TcpExt.IPReversePathFilter"),
)
LOST: dict[str, Any] = {  # no packet of any kind comes back
    "bulk": {"bytes": 0, "by": {}, "error": "deadline", "mbit_per_s": 0.0},
    "udp": {"results": []},
    "pmtu": {"outcome": "lost", "size": "1450"},
    **hits(errors=96),
}


def counted(counter: str) -> dict[str, Any]:
    """This counter rises on the subject while packets are sent."""
    return {"host": rises(counters.ask(), "counters.txt", counter)}


OVERFLOWN = recorded("arp-cache.txt").rstrip()[:-1] + "7\n"
COUNTED = recorded("conntrack.txt")
ALL_ANSWERED = {e["targetRef"]["name"]: 16 for s in slices() for e in s["endpoints"] if "targetRef" in e}
OWN = next(
    e["targetRef"]["name"]
    for s in slices()
    for e in s["endpoints"]
    if e.get("nodeName") == SUBJECT and "peer" not in e["targetRef"]["name"]
)
OTHER_ADDRESS = next(
    e["addresses"][0]
    for s in slices()
    for e in s["endpoints"]
    if e.get("nodeName") == "oslo-3" and "peer" not in e["targetRef"]["name"]
)
PORTALS = ":KUBE-PORTALS-CONTAINER - [0:0]\n:KUBE-SERVICES "
NOT_OWN = {name: count for name, count in ALL_ANSWERED.items() if name != OWN}
PEER = next(name for name in NOT_OWN if "peer" in name)

SPOILED: list[tuple[str, str, dict[str, Any]]] = [
    ("DP-FWD", "forwarding off", {"host": sysctl_says(FORWARD, "0")}),
    ("DP-BRNF", "off", {"host": sysctl_says(BRIDGE, "0")}),
    ("DP-BRNF", "module not loaded", {"host": sysctl_says(BRIDGE, None)}),
    ("DP-RPF", "strict on all", {"host": sysctl_says(RPF, "1", "0")}),
    ("DP-RPF", "strict on the underlay", {"host": sysctl_says(RPF, "0", "1")}),
    ("DP-NEIGH", "too small", {"host": sysctl_says(NEIGH, "2", "4", "8")}),
    ("DP-NEIGH", "not ascending", {"host": sysctl_says(NEIGH, "4096", "2048", "8192")}),
    (
        "DP-STEAL",
        "stolen",
        {"host": says(cpu.ask(steal.WINDOW_S), "cpu 0 0 0 0 0 0 0 0\ncpu 50 0 0 46 0 0 0 4\n")},
    ),
    ("DP-MIXED", "both variants", {"host": says(iptables.ask_variants(), "legacy 12\nnft 79\n")}),
    ("FL-READY", "not ready", {"pods": {"readyz": {"status": 503, "body": "", "error": ""}}}),
    ("FL-SUBNET", "missing", {"host": says(flannel.ask_subnet(), "")}),
    (
        "FL-SUBNET",
        "another network",
        {"host": edited(flannel.ask_subnet(), "subnet.txt", "244.0.0/16", "0.0.0/8")},
    ),
    (
        "FL-SUBNET",
        "another's subnet",
        {"host": edited(flannel.ask_subnet(), "subnet.txt", ".99.1/", ".84.1/")},
    ),
    (
        "FL-SUBNET",
        "another length",
        {"host": edited(flannel.ask_subnet(), "subnet.txt", ".99.1/24", ".99.1/25")},
    ),
    ("FL-SUBNET", "no masquerade", {"host": edited(flannel.ask_subnet(), "subnet.txt", "true", "false")}),
    ("FL-MTU", "no room for VXLAN", {"host": edited(flannel.ask_subnet(), "subnet.txt", "1450", "1500")}),
    ("FL-MTU", "an old pod", {"pods": {"links": {"mtu": {"eth0": 1500}}}}),
    ("FL-LINK", "no link", {"host": edited(links.ask(), "links.txt", '"flannel.1"', '"other"')}),
    ("FL-LINK", "another address", {"host": edited(links.ask(), "links.txt", '"10.60.0.12"', '"10.0.0.1"')}),
    ("FL-LINK", "another port", {"host": edited(links.ask(), "links.txt", '"port":8472', '"port":4789')}),
    ("FL-PEERS", "no route", {"host": edited(routes.ask(), "routes.txt", "10.244.84.0/24", "10.9.0.0/24")}),
    (
        "FL-PEERS",
        "stale neighbour",
        {"host": edited(neighbours.ask_neighbours("flannel.1"), "neighbours.txt", "PERMANENT", "STALE")},
    ),
    (
        "FL-PEERS",
        "another address",
        {
            "host": edited(
                neighbours.ask_forwarding("flannel.1"), "forwarding.txt", "10.60.0.11", "10.60.0.99"
            )
        },
    ),
    (
        "FL-MASQ",
        "another first rule",
        {"host": edited(iptables.ask(), "iptables.txt", "--mark 0x4000/0x4000", "--mark 0x8000/0x8000")},
    ),
    (
        "FL-MASQ",
        "no forward",
        {"host": edited(iptables.ask(), "iptables.txt", "-j FLANNEL-FWD", "-j ACCEPT")},
    ),
    ("FL-PMTU", "lost at the limit", {"pods": {"pmtu": {"outcome": "lost", "size": "1450"}}}),
    ("FL-PMTU", "one byte more passes", {"pods": {"pmtu": {"outcome": "passed", "size": "1451"}}}),
    (
        "KP-MODE",
        "silent fallback",
        {"pods": {"proxyMode": {"status": 200, "body": "userspace", "error": ""}}},
    ),
    ("KP-MODE", "left-overs", {"host": edited(iptables.ask(), "iptables.txt", ":KUBE-SERVICES ", PORTALS)}),
    ("KP-MODE", "two modes", {"host": says(nftables.ask(), "table ip kube-proxy {\n}\n")}),
    ("KP-MODE", "no chains", {"host": says(iptables.ask(), "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")}),
    ("KP-HEALTH", "stale rules", {"pods": {"healthz": {"status": 503, "body": "", "error": ""}}}),
    (
        "KP-ENDPOINTS",
        "a chain too few",
        {"host": edited(iptables.ask(), "iptables.txt", "10.60.0.11:6443", "10.60.0.99:6443")},
    ),
    ("KP-DIAL", "dead endpoint", {"pods": dialled("tcp", "10.60.0.11:6443")}),
    ("KP-VIP-POD", "lost connections", {"pods": hits(errors=9, by=ALL_ANSWERED)}),
    (
        "KP-VIP-POD",
        "an endpoint never met",
        {"pods": hits(by={name: 16 for name in NOT_OWN if name != PEER})},
    ),
    ("KP-VIP-NODE", "lost connections", {"pods": hits(errors=1, by=ALL_ANSWERED)}),
    ("KP-HAIRPIN", "never itself", {"pods": hits(by=NOT_OWN)}),
    ("KP-NODEPORT", "lost connections", {"pods": hits(errors=96)}),
    (
        "PATH-BULK",
        "stalls",
        {"pods": {"bulk": {"bytes": 65536, "by": {}, "error": "deadline", "mbit_per_s": 0.1}}},
    ),
    (
        "PATH-BULK",
        "an endpoint never met",
        {"pods": {"bulk": {"bytes": 1048576, "by": {PEER: 96}, "error": "", "mbit_per_s": 900.0}}},
    ),
    *((code, "lost and counted", counted(counter) | {"pods": LOST}) for code, counter in COUNTERS),
    (
        "DP-ARP",
        "overflows",
        {"host": {neighbour_cache.ask().command.render(): [recorded("arp-cache.txt"), OVERFLOWN]}},
    ),
    ("FL-PUBLIC", "one address twice", {"objects": annotated("10.60.0.11", "10.60.0.11", "10.60.0.13")}),
    ("FL-PUBLIC", "flannel does not know the node", {"objects": annotated("10.60.0.11")}),
    (
        "CT-DNS",
        "lost",
        {"pods": {"names": {"lookups": 500, "lost": 2, "max_ms": 5001.0, "error": "i/o timeout"}}},
    ),
    ("PATH-NODE-PODS", "UDP blocked", {"pods": dialled("udp", f"{OTHER_ADDRESS}:10411")}),
    ("PATH-PODS", "UDP blocked", {"pods": dialled("udp", f"{OTHER_ADDRESS}:10411")}),
    ("PATH-NODES", "TCP blocked", {"pods": dialled("tcp", "10.60.0.11:10411")}),
    ("CT-MAX", "too small", {"host": says(conntrack.ask(), COUNTED.replace("262144", "65536"))}),
    (
        "CT-HEADROOM",
        "nearly full",
        {"host": says(conntrack.ask(), COUNTED.replace("count 565", "count 200000"))},
    ),
    (
        "CT-LOG",
        "full table",
        {"host": {Command.of("dmesg").render(): "nf_conntrack: table full, dropping\n"}},
    ),
]


@pytest.mark.parametrize("code", CODES)
def test_a_healthy_plane_passes(code: str) -> None:
    findings = judged(code)
    assert {finding.verdict for finding in findings} == {Verdict.PASS} or code in (
        "FL-LINK",
        "FL-PEERS",
        "FL-MTU",
    )
    assert verdict(findings, "site" if code in SITE_WIDE else SUBJECT) is Verdict.PASS
    for finding in findings:
        assert finding.evidence, "a verdict stands on evidence"
        assert finding.code == code


@pytest.mark.parametrize(("code", "what", "spoiled"), SPOILED, ids=[f"{c}: {w}" for c, w, _ in SPOILED])
def test_a_spoiled_plane_fails(code: str, what: str, spoiled: dict[str, Any]) -> None:
    assert verdict(judged(code, **spoiled)) is Verdict.FAIL


def test_every_check_can_fail() -> None:
    covered = {code for code, _, _ in SPOILED} | {"CT-DROPS", "CT-PAWS", "KP-RESTORE"} | SITE_WIDE
    assert covered == set(CODES)


def test_drops_count_only_what_rises_meanwhile() -> None:
    from tests.checks.dataplane import plane

    rising = COUNTED.replace(
        " 00000000 00000000 00000000 00000000  00000000", " 00000004 00000000 00000000 00000000  00000000", 1
    )
    asked = conntrack.ask().command.render()
    answers = iter([COUNTED, rising])
    original = plane.Host.run

    def run(self: Any, command: Any, **options: Any) -> Any:
        if self.name == SUBJECT and command.render() == asked:
            return plane.said(next(answers))
        return original(self, command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plane.Host, "run", run)
        assert verdict(judged("CT-DROPS")) is Verdict.FAIL
    assert verdict(judged("CT-DROPS", host=says(conntrack.ask(), rising))) is Verdict.PASS


@pytest.mark.parametrize("old_kernel", [False, True])
def test_new_connections_that_meet_a_time_wait_fail_only_where_both_counters_rise(old_kernel: bool) -> None:
    asked: dict[str, int] = {}
    rejected = "TcpExt.PAWSEstab" if old_kernel else "TcpExt.PAWSTimewait"

    def counted(*risen: str) -> Any:
        def answer(pod: str) -> dict[str, str]:
            asked[pod] = asked.get(pod, 0) + 1
            text = recorded("counters.txt")
            if old_kernel:  # Debian 12's 6.1 has no counter of that name
                text = text.replace(" PAWSTimewait ", " AnotherCounter ")
            for counter in risen:
                text = raised(text, counter, 30 * asked[pod])
            return {"counters": text}

        return {"count": answer}

    both = counted(rejected, "TcpExt.TCPSynRetrans")
    assert verdict(judged("CT-PAWS", pods=both)) is Verdict.FAIL
    assert verdict(judged("CT-PAWS", pods=counted("TcpExt.TCPSynRetrans"))) is Verdict.PASS


def test_lookups_that_are_lost_once_and_in_no_race_only_warn() -> None:
    rounds: dict[str, int] = {}

    def names(pod: str) -> dict[str, Any]:
        rounds[pod] = rounds.get(pod, 0) + 1
        return {"lookups": 500, "lost": 8 if rounds[pod] == 1 else 0, "max_ms": 5001.0, "error": ""}

    assert verdict(found := judged("CT-DNS", pods={"names": names})) is Verdict.WARN
    assert "asked again: 0 of 500 lost" in found[0].observed
    assert set(rounds.values()) == {2}


@pytest.mark.parametrize("code", ["FL-CSUM", "FL-FRAG", "DP-RPF-DROPS", "CT-PAWS"])
def test_counters_prove_nothing_where_no_packet_comes_back(code: str) -> None:
    assert verdict(judged(code, pods=LOST)) is Verdict.NODATA


@pytest.mark.parametrize(("code", "counter"), COUNTERS)
def test_a_counter_that_rises_while_nothing_is_lost_warns(code: str, counter: str) -> None:
    assert verdict(judged(code, **counted(counter))) is Verdict.WARN


def test_old_overflows_of_the_neighbour_table_warn() -> None:
    assert verdict(judged("DP-ARP", host=says(neighbour_cache.ask(), OVERFLOWN))) is Verdict.WARN


@pytest.mark.parametrize(("risen", "expected"), [(True, Verdict.FAIL), (False, Verdict.ERROR)])
def test_an_overflow_is_seen_though_its_probe_does_not_answer(risen: bool, expected: Verdict) -> None:
    """A full table cuts the loopback as well, over which kubelet runs programs in pods."""

    def silent(name: str) -> Any:
        raise ServiceFailed(name, "the program did not end in 60 s")

    texts = [recorded("arp-cache.txt"), OVERFLOWN if risen else recorded("arp-cache.txt")]
    host = {neighbour_cache.ask().command.render(): texts}
    found = judged("DP-ARP", host=host, pods={"tcp": silent})
    assert verdict(found) is expected
    assert "did not end in 60 s" in next(each.observed for each in found if each.subject == SUBJECT)


def test_the_lowest_layer_names_the_cause() -> None:
    def failing(*codes: str) -> list[Finding]:
        return [
            Finding(code=code, subject=SUBJECT, verdict=Verdict.FAIL, observed="", remedy="x")
            for code in codes
        ]

    assert causes(failing("PATH-PODS", "FL-PEERS", "DP-FWD", "KP-DIAL")) == {"DP-FWD"}
    assert causes(failing("KP-VIP-NODE", "PATH-BULK", "FL-CSUM")) == {"FL-CSUM"}
    assert causes(failing("KP-HAIRPIN")) == {"KP-HAIRPIN"}
    assert causes(failing("CT-LOG", "DP-ARP", "PATH-NODES")) == {"DP-ARP"}, "the log tells of any time"
    assert causes(failing("CT-LOG")) == {"CT-LOG"}
    assert causes(failing("A-STEPS-OWN", "PATH-PODS")) == {"A-STEPS-OWN"}
    assert causes(judged("DP-FWD")) == frozenset()


def test_a_kube_proxy_that_is_silent_has_no_wrong_mode_and_what_it_left_is_still_judged() -> None:
    refused = {"status": 0, "body": "", "error": "connection refused"}
    silent = {"proxyMode": refused, "healthz": refused}
    assert verdict(judged("KP-MODE", pods=silent)) is Verdict.NODATA
    left = edited(iptables.ask(), "iptables.txt", ":KUBE-SERVICES ", PORTALS)
    assert verdict(judged("KP-MODE", pods=silent, host=left)) is Verdict.FAIL
    found = [*judged("KP-MODE", pods=silent), *judged("KP-HEALTH", pods=silent)]
    assert causes(found) == {"KP-HEALTH"}


def test_a_lost_subnet_names_itself_before_what_rests_on_it() -> None:
    lost = says(flannel.ask_subnet(), "")
    assert verdict(judged("FL-PUBLIC", host=lost)) is Verdict.NODATA
    codes = [check.code for check in in_group("dataplane") if check.code.startswith("FL-")]
    # The other nodes answer with this one's records, which are wrong for them.
    found = [f for code in codes for f in judged(code, host=lost) if f.subject == SUBJECT]
    assert {f.code for f in found if f.verdict is Verdict.FAIL} >= {"FL-SUBNET", "FL-MTU", "FL-PMTU"}
    assert causes(found) == {"FL-SUBNET"}


def test_old_restore_failures_warn() -> None:
    body = 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 2\n'
    findings = judged("KP-RESTORE", pods={"metrics": {"status": 200, "body": body, "error": ""}})
    assert verdict(findings) is Verdict.WARN
    findings = judged("KP-RESTORE", pods={"metrics": {"status": 200, "body": "nothing", "error": ""}})
    assert verdict(findings) is Verdict.ERROR


def test_masquerade_all_warns_and_fails_next_to_a_policy_with_addresses() -> None:
    on = KubeProxy(masquerade_all=True)
    assert verdict(judged("KP-MASQ-ALL", proxy=on), "site") is Verdict.WARN
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "office", "namespace": "shop"},
        "spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "1.2.3.0/24"}}]}]},
    }
    assert verdict(judged("KP-MASQ-ALL", proxy=on, objects=[policy]), "site") is Verdict.FAIL
    assert verdict(judged("KP-MASQ-ALL", objects=[policy]), "site") is Verdict.PASS


def test_many_services_in_iptables_mode_are_offered_another() -> None:
    many = [
        {"kind": "Service", "metadata": {"name": f"s{n}", "namespace": "shop"}, "spec": {}}
        for n in range(1001)
    ]
    assert verdict(judged("KP-SCALE", objects=many), "site") is Verdict.WARN
    nftables_mode = KubeProxy(mode=ProxyMode.NFTABLES)
    assert verdict(judged("KP-SCALE", objects=many, proxy=nftables_mode), "site") is Verdict.PASS


def test_a_policy_that_nothing_enforces_is_named() -> None:
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": "shop"}, "spec": {}}
    assert verdict(judged("NP-ENFORCED", objects=[policy]), "networkpolicy/shop/deny") is Verdict.FAIL
    enforced = judged("NP-ENFORCED", objects=[policy], enforces_policies=True)
    assert verdict(enforced, "networkpolicy/shop/deny") is Verdict.PASS


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("DP-NEIGH", sysctl_says(NEIGH, None, None, None)),
        ("CT-MAX", says(conntrack.ask(), "cores 2\n")),
        ("CT-HEADROOM", says(conntrack.ask(), "cores 2\n")),
        ("CT-DROPS", says(conntrack.ask(), "cores 2\n")),
        ("DP-ARP", says(neighbour_cache.ask(), "")),
        ("CT-LOG", {Command.of("dmesg").render(): ""}),
    ],
)
def test_what_a_container_cannot_see_is_a_warning_that_says_where_to_look(code: str, host: Any) -> None:
    assert verdict(judged(code, host=host)) is Verdict.WARN


@pytest.mark.parametrize("code", sorted(set(CODES) - SITE_WIDE))
def test_what_cannot_be_observed_is_never_a_pass(code: str) -> None:
    asked = dict.fromkeys(_every_question(), UNREACHABLE)
    findings = judged(code, host=asked, without_probes=True)
    assert Verdict.PASS not in {f.verdict for f in findings if f.subject == SUBJECT}


def _every_question() -> list[str]:
    return list(plane.Host(SUBJECT, {}).answers)


def test_an_entry_of_a_peers_former_link_is_no_fault() -> None:
    left = '[{"mac":"e6:f6:bc:6e:93:d4","dst":"10.60.0.11","flags":["self"],"state":"permanent"},'
    asked = neighbours.ask_forwarding("flannel.1")
    host = says(asked, recorded("forwarding.txt").replace("[", left, 1))
    assert verdict(judged("FL-PEERS", host=host)) is Verdict.PASS


def test_direct_routes_take_the_place_of_the_overlay() -> None:
    plain = recorded("routes.txt").replace(
        '"gateway":"10.244.84.0","dev":"flannel.1"', '"gateway":"10.60.0.11","dev":"eth0"'
    )
    assert plain != recorded("routes.txt")
    host = says(routes.ask(), plain)
    assert verdict(judged("FL-PEERS", host=host, network=Network(direct_routing=True))) is Verdict.PASS
    assert verdict(judged("FL-PEERS", host=host)) is Verdict.FAIL


HOST_GW, BGP = Network(kind="flannel_host_gw"), Network(kind="bgp")
NO_LINK = edited(links.ask(), "links.txt", '"flannel.1"', '"other"')


def direct(protocol: str = "") -> dict[str, str]:
    """The recorded routes as they are without an overlay: via the nodes themselves."""
    table = json.loads(recorded("routes.txt"))
    for row in table:
        node = {"10.244.84.0/24": "10.60.0.11", "10.244.12.0/24": "10.60.0.13"}.get(row["dst"])
        if node:
            row.update({"gateway": node, "dev": "eth0", "flags": []})
            row.update({"protocol": protocol} if protocol else {})
    return says(routes.ask(), json.dumps(table))


@pytest.mark.parametrize(
    ("code", "network", "host", "wanted"),
    [
        ("FL-LINK", HOST_GW, NO_LINK, Verdict.PASS),
        ("FL-LINK", HOST_GW, {}, Verdict.FAIL),
        ("FL-PEERS", HOST_GW, direct(), Verdict.PASS),
        ("FL-PEERS", HOST_GW, {}, Verdict.FAIL),
        ("FL-PEERS", BGP, direct("bird"), Verdict.PASS),
        ("FL-PEERS", BGP, direct(), Verdict.FAIL),
        ("FL-MTU", HOST_GW, {}, Verdict.FAIL),
    ],
)
def test_a_network_without_overlay_is_held_to_its_own_rules(
    code: str, network: Network, host: dict[str, str], wanted: Verdict
) -> None:
    assert verdict(judged(code, network=network, host=host)) is wanted


def test_the_mtu_of_pods_is_the_underlays_where_there_is_no_header() -> None:
    host = edited(flannel.ask_subnet(), "subnet.txt", "1450", "1500")
    pods = {"links": {"mtu": {"eth0": 1500}}}
    assert verdict(judged("FL-MTU", network=HOST_GW, host=host, pods=pods)) is Verdict.PASS


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("FL-")])
def test_of_another_network_than_flannel_nothing_is_said_to_pass(code: str) -> None:
    (finding,) = judged(code, network=Network(kind="calico"))
    assert (finding.subject, finding.verdict) == ("site", Verdict.WARN)
    assert "calico" in finding.observed


def nft_table() -> str:
    """The recorded endpoints as kube-proxy writes them in nftables mode."""
    lines = ["table ip kube-proxy {"]
    for name, ends in iptables.parse(recorded("iptables.txt")).endpoints().items():
        service, _, port = name.partition(":")
        pairs = ", ".join(f"{n} : {end.replace(':', ' . ')}" for n, end in enumerate(sorted(ends)))
        lines.append(f"\tchain service-ABCD2345-{service}/tcp/{port} {{")
        lines.append(f"\t\tdnat ip addr . port to numgen random mod {len(ends)} map {{ {pairs} }}\n\t}}")
    return "\n".join([*lines, "}\n"])


@pytest.mark.parametrize(
    ("code", "table", "rules", "expected"),
    [
        ("KP-ENDPOINTS", nft_table(), None, Verdict.PASS),
        ("KP-ENDPOINTS", nft_table().replace("10.60.0.11", "10.60.0.99"), None, Verdict.FAIL),
        ("KP-ENDPOINTS", "", None, Verdict.FAIL),
        ("KP-MODE", nft_table(), "*nat\nCOMMIT\n", Verdict.PASS),
        ("KP-MODE", nft_table(), None, Verdict.FAIL),  # the chains of iptables mode are there, too
        ("KP-MODE", "", "*nat\nCOMMIT\n", Verdict.FAIL),
    ],
)
def test_nftables_mode_is_judged_by_its_own_rules(
    code: str, table: str, rules: str | None, expected: Verdict
) -> None:
    host = says(nftables.ask(), table) | ({} if rules is None else says(iptables.ask(), rules))
    pods = {"proxyMode": {"status": 200, "body": "nftables", "error": ""}}
    found = judged(code, host=host, pods=pods, proxy=KubeProxy(mode=ProxyMode.NFTABLES))
    assert verdict(found) is expected
