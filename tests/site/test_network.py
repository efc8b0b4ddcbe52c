"""The network on prepared nodes: raised, proved, raised again without a change; and each fault is seen.

The nodes are `test_prepare`'s: two, beside any other site.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import Change
from inventory.models.cluster import BgpPeer, KubeProxy, Network, ProxyMode
from inventory.models.command import Script
from inventory.models.finding import Finding
from inventory.models.site import Site
from inventory.models.verdict import Verdict
from rehearsal import netns
from rehearsal.matrix.registry import all_faults, faults_named
from rehearsal.matrix.run import heal, healthy_runs, try_fault, where_of
from rehearsal.plan import Plan
from rehearsal.services.router import ask_router, start_router
from rehearsal.state import State
from tasks.checks.context import DataPlane, Workload
from tasks.checks.registry import in_group, judge
from tasks.checks.workload import wl_grace, wl_ready
from tasks.drivers.clock import SystemClock
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.kube import KubeApi
from tasks.drivers.ports import Host
from tasks.facts import modules
from tasks.facts.gather import gather
from tasks.facts.probe import NAMESPACE
from tasks.networks import node_plan, proxy_account
from tasks.networks.data_plane_bench import Side, measure, mode_of
from tasks.networks.probe import Probes, probing
from tasks.networks.probe_image import probe_image
from tasks.networks.registry import of_site
from tasks.operations.apply import apply_all
from tasks.steps.preparation import keep_kubeconfig
from tests.site.changing import raise_network, recommended, with_network
from tests.site.dying_pods import GRACEFUL, NOTHING, READY, Dying, Way
from tests.site.test_prepare import Bare, bare, prepare

__all__ = ["bare"]  # the fixture

pytestmark = [pytest.mark.site]
CLOCK = SystemClock()
RULES_S = 5.0  # a kube-proxy that has just started writes all rules
SETTINGS = Script.of("cat /sys/class/net/eth0/mtu; sysctl net.ipv4.conf.all.rp_filter; nft list tables")


@dataclass(frozen=True)
class Standing:
    """A prepared cluster."""

    site: Site
    hosts: Mapping[str, Host]
    kube: KubeApi
    programs: Path
    plan: Plan


@pytest.fixture(scope="module")
def standing(bare: Bare) -> Iterator[Standing]:
    prepare(bare)
    site = bare.preparation.site
    keep_kubeconfig(bare.preparation, bare.hosts[site.target.nodes[0].name])
    kube = KubeApi.open(site.target.cluster.kubeconfig, "trial")
    yield Standing(site, bare.hosts, kube, site.target.cluster.programs, bare.plan)
    kube.close()


def planned(standing: Standing, *, make: bool) -> list[Change]:
    """Plan the whole network, and apply it where `make` says so."""
    network, site = of_site(standing.site), standing.site
    account = proxy_account.ensure(standing.kube, CLOCK)
    image = probe_image(standing.programs)
    first = standing.hosts[network.shared_on().name]
    shared = network.plan_shared(gather(first, network.shared_questions()))
    if make:
        assert apply_all(first, shared).ok

    def one(node: Any) -> list[Change]:
        facts = gather(standing.hosts[node.name], node_plan.questions(network, node))
        changes = node_plan.plan(network, site, node, facts, account.token, image)
        if make:
            outcome = apply_all(standing.hosts[node.name], changes)
            assert outcome.ok, outcome.error
        return changes

    with ThreadPoolExecutor() as pool:
        return [*shared, *(change for changes in pool.map(one, site.target.nodes) for change in changes)]


@pytest.fixture(scope="module")
def raised(standing: Standing) -> Standing:
    started = time.monotonic()
    made = planned(standing, make=True)
    _await_ready(standing)
    print(f"{len(made)} changes, nodes ready after {time.monotonic() - started:.1f} s")  # noqa: T201 - figures
    return standing


def _await_ready(standing: Standing) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready = [
            node
            for node in standing.kube.list("v1", "Node")
            if {"type": "Ready", "status": "True"}.items()
            <= next(c for c in node["status"]["conditions"] if c["type"] == "Ready").items()
        ]
        if len(ready) == len(standing.site.target.nodes):
            return
        time.sleep(0.5)
    pytest.fail("the nodes are not Ready")


@pytest.fixture(scope="module")
def probes(raised: Standing) -> Iterator[Probes]:
    names = [node.name for node in raised.site.target.nodes]
    with probing(raised.kube, CLOCK, names, probe_image(raised.programs).reference) as found:
        yield found
    assert raised.kube.list("v1", "Pod", namespace=NAMESPACE) == []
    for _ in range(60):
        if raised.kube.get("v1", "Namespace", NAMESPACE) is None:
            return
        time.sleep(0.5)
    pytest.fail("the probes' namespace is left")


def context_of(standing: Standing, probes: Probes) -> DataPlane:
    return DataPlane(standing.site, standing.hosts, standing.kube, probes.pods, CLOCK, probes.nodes)


def findings(standing: Standing, probes: Probes) -> list[Finding]:
    return judge(in_group("dataplane"), context_of(standing, probes))


def refused(found: list[Finding]) -> set[tuple[str, str]]:
    return {(f.code, f.subject.split(" -> ")[0]) for f in found if not f.verdict.lets_go_on}


def test_the_second_run_makes_no_change(raised: Standing) -> None:
    assert [str(change) for change in planned(raised, make=True)] == []


def test_a_healthy_network_is_let_through(raised: Standing, probes: Probes) -> None:
    for run in healthy_runs(context_of(raised, probes), 1):
        print(run)  # noqa: T201 - figures
        assert run.alarms == []
    found = findings(raised, probes)
    assert refused(found) == set(), [f for f in found if not f.verdict.lets_go_on]
    warned = {finding.code for finding in found if finding.verdict is Verdict.WARN}
    assert warned <= {"CT-LOG", "DP-ARP", "DP-NEIGH", "DP-STEAL"}, (
        "only what is the machine's beneath a container"
    )
    assert {finding.code for finding in found} == {check.code for check in in_group("dataplane")}


# The others, slower ones, are tried by `safe-harbor rehearse matrix`.
FAULTS = (
    *("br-netfilter-off", "conntrack-nearly-full", "dead-endpoint", "hairpin-off", "kube-proxy-stopped"),
    *("masquerade-shadowed", "nodes-blocked", "rules-refused", "stale-endpoint", "subnet-lost"),
    *(
        "mixed-iptables",
        "rp-filter-strict",
        "snat-collision",
        "vxlan-checksum",
        "wrong-interface",
        "wrong-mtu",
    ),
)


@pytest.mark.parametrize("name", FAULTS)
def test_exactly_its_check_names_a_fault(raised: Standing, probes: Probes, name: str) -> None:
    (fault,) = faults_named([name])
    row = try_fault(fault, where_of(context_of(raised, probes)))
    print(row)  # noqa: T201 - figures
    assert row.named == [fault.primary]
    assert row.observed


def test_a_fault_that_a_killed_run_left_is_undone_by_the_next(raised: Standing, probes: Probes) -> None:
    where = where_of(context_of(raised, probes))
    left = faults_named(["wrong-mtu", "rp-filter-strict", "vxlan-checksum", "duplicate-public-ip"])
    before = where.host.check(SETTINGS)
    for fault in left:
        fault.create(where)
    assert where.host.check(SETTINGS) != before
    heal(all_faults(), where)
    assert where.host.check(SETTINGS) == before
    heal(all_faults(), where)
    assert refused(findings(raised, probes)) == set()


def test_the_data_plane_is_measured(raised: Standing, probes: Probes) -> None:
    assert mode_of(raised.kube, probes) == "iptables"
    sides = [Side("iptables", raised.kube, probes)]
    figures = measure(sides, CLOCK, rounds=1, seconds=1.0)["iptables"]
    print(figures)  # noqa: T201 - figures
    assert figures["requests_per_s"] > 100
    assert 0 < figures["cpu_us_per_request"] < 20_000


@pytest.mark.parametrize("way", [NOTHING, READY, GRACEFUL], ids=lambda way: way.name)
def test_what_dying_pods_cost_is_what_the_checks_predict(raised: Standing, probes: Probes, way: Way) -> None:
    asker = probes.nodes[raised.site.target.nodes[0].name]
    dying = Dying(raised.kube, CLOCK, asker, probe_image(raised.programs).reference)
    dying.raise_up(way)
    moving = raised.site.workload.model_copy(update={"namespaces": (NAMESPACE,)})
    context = Workload(raised.site.model_copy(update={"workload": moving}), raised.kube, CLOCK)
    said = {
        f.code: f.verdict
        for f in judge([wl_ready.CHECK, wl_grace.CHECK], context)
        if f.subject == f"deployment/{NAMESPACE}/{way.name}"
    }
    load = dying.replaced(way)
    looks = dying.hung(way, within_s=60 if way.readiness else 20)
    dying.take_down(way)
    print(  # noqa: T201 - figures
        f"{way.name}: {load.errors} of {load.requests + load.errors} failed, "
        f"hung: {', '.join(f'{share:.0%} at {after_s:.1f} s' for after_s, share in looks)}; {said}"
    )
    assert said["WL-GRACE"] is (Verdict.PASS if way.pre_stop_s else Verdict.WARN)
    assert said["WL-READY"] is (Verdict.PASS if way.readiness else Verdict.FAIL)
    assert (load.errors == 0) is (set(said.values()) == {Verdict.PASS})
    assert (looks[-1][1] == 0) is (said["WL-READY"] is Verdict.PASS)


def test_nftables_mode_is_raised_proved_and_left_without_a_trace(raised: Standing, probes: Probes) -> None:
    target = raised.site.target
    proxy = KubeProxy(mode=ProxyMode.NFTABLES)
    cluster = target.cluster.model_copy(update={"kube_proxy": proxy})
    site = raised.site.model_copy(update={"target": target.model_copy(update={"cluster": cluster})})
    other = replace(raised, site=site)
    try:
        assert len(planned(other, make=True)) == 2 * len(target.nodes), "the unit, and its restart"
        time.sleep(RULES_S)
        found = findings(other, probes)
        assert refused(found) == set(), [f for f in found if not f.verdict.lets_go_on]
        assert mode_of(raised.kube, probes) == "nftables"
        assert {f.code for f in findings(raised, probes) if f.verdict is Verdict.FAIL} >= {"KP-MODE"}
    finally:
        planned(raised, make=True)
        time.sleep(RULES_S)
    assert refused(findings(raised, probes)) == set()


def test_running_a_program_in_a_pod(raised: Standing, probes: Probes) -> None:
    pod = next(iter(probes.pods.values()))
    failing = raised.kube.execute(NAMESPACE, pod, ["/probe", "nothing"])
    assert (failing.exit_code, failing.stdout) == (2, "")
    assert "usage: probe" in failing.stderr
    with pytest.raises(ServiceFailed, match="did not end in 1 s"):
        raised.kube.execute(NAMESPACE, pod, ["/probe", "serve", "-listen", ":10499"], timeout_s=1)
    with pytest.raises(ServiceFailed, match="no such file"):
        raised.kube.execute(NAMESPACE, pod, ["/bin/sh"])


# -- from here on the pods are on other networks ------------------------------------------------------------

WEAVE = """
ip link add weave type bridge && ip link add vethwe-bridge type veth peer name vethwe-datapath
iptables -t nat -N WEAVE && iptables -t nat -A WEAVE -s 10.32.0.0/12 -j RETURN
iptables -t nat -A POSTROUTING -j WEAVE
mkdir -p /var/lib/weave /opt/cni/bin && touch /var/lib/weave/weave-net.db /opt/cni/bin/weave-net
"""


def changed(raised: Standing, network: Network) -> tuple[Standing, dict[str, Any]]:
    """The cluster on another network, with its checks let through, and the figures of the change."""
    site = with_network(raised.site, network)
    draft = raise_network(site, raised.hosts, raised.kube)
    figures = draft.figures["network_change"]
    print(network.kind, figures)  # noqa: T201 - figures
    now = replace(raised, site=site)
    names = [node.name for node in site.target.nodes]
    with probing(raised.kube, CLOCK, names, probe_image(raised.programs).reference) as probes:
        found = findings(now, probes)
    assert refused(found) == set(), [f for f in found if not f.verdict.lets_go_on]
    return now, figures


def is_counted(figures: dict[str, Any], nodes: int) -> None:
    """Every node was emptied, and the load saw (nearly) nothing of it."""
    assert len(figures["nodes"]) == nodes
    assert sum(node["evicted"] for node in figures["nodes"]) >= 2
    load = figures["load"]
    assert load["requests"] > 100
    assert load["failed"] <= load["requests"] / 100, load


def test_what_the_underlay_lets_through_becomes_a_recommendation(raised: Standing) -> None:
    advice = recommended(raised.site, raised.hosts, raised.kube)
    print("\n".join(advice.lines()))  # noqa: T201 - figures
    seen = advice.environment
    assert (seen.same_l2, seen.foreign_sources, seen.mtu) == (True, True, 1500)
    assert seen.mbit_per_s is not None
    assert set(seen.without_wireguard) in (set(), set(raised.hosts)), "all nodes have one kernel here"
    assert advice.recommendation.kind == "flannel_host_gw"
    # A provider that drops foreign sources, as many do: at the switch between the nodes.
    switch = ["nsenter", f"--net=/run/netns/{raised.plan.wan_netns}"]
    rule = ["iptables", "FORWARD", "-s", raised.plan.oslo_pod_network, "-j", "DROP"]
    netns.sysctl(raised.plan.wan_netns, "net/bridge/bridge-nf-call-iptables", "1")
    subprocess.run([*switch, rule[0], "-I", *rule[1:]], check=True)
    try:
        filtered = recommended(raised.site, raised.hosts, raised.kube)
    finally:
        subprocess.run([*switch, rule[0], "-D", *rule[1:]], check=True)
        netns.sysctl(raised.plan.wan_netns, "net/bridge/bridge-nf-call-iptables", "0")
    assert filtered.environment.foreign_sources is False
    assert filtered.recommendation.kind == "flannel_vxlan"
    assert filtered.as_json()["settings"] == {"direct_routing": False}


def test_no_node_becomes_a_wireguard_node_without_the_kernels_module(raised: Standing) -> None:
    node, host = next(iter(raised.hosts.items()))
    asked = modules.ask(("wireguard",))
    if gather(host, [asked]).of(asked)["wireguard"] is not modules.State.MISSING:
        pytest.skip("this kernel has WireGuard")
    network = of_site(raised.site)
    shared = gather(raised.hosts[network.shared_on().name], network.shared_questions())
    wanted = with_network(raised.site, Network(kind="flannel_wireguard"))
    with pytest.raises(ServiceFailed, match=f"{node}: its kernel has no WireGuard"):
        raise_network(wanted, raised.hosts, raised.kube)
    assert gather(raised.hosts[network.shared_on().name], network.shared_questions()) == shared


def test_vxlan_becomes_host_gw_beneath_a_load(raised: Standing) -> None:
    last = raised.site.target.nodes[-1].name
    raised.hosts[last].check(Script.of(WEAVE))
    now, figures = changed(raised, Network(kind="flannel_host_gw"))
    is_counted(figures, len(raised.hosts))
    for host in raised.hosts.values():
        links = host.check(Script.of("ip -brief link show"))
        assert "flannel.1" not in links
        assert "weave" not in links
        assert "WEAVE" not in host.check(Script.of("iptables-save"))
    assert (
        raised.hosts[last].check(Script.of("ls /var/lib/safe-harbor/left/weave/opt/cni/bin")) == "weave-net\n"
    )
    assert raise_network(now.site, raised.hosts, raised.kube).changes == 0, "a repeat changes nothing"


@pytest.mark.timeout(600)
def test_host_gw_becomes_bgp_with_the_router_and_goes_back(raised: Standing) -> None:
    plan = raised.plan
    start_router(plan, State(plan))
    router = BgpPeer.model_validate({"address": plan.oslo_gateway, "as_number": plan.router_as})
    bgp = Network(kind="bgp", bgp_peers=(router,), as_number=plan.nodes_as)
    _, figures = changed(raised, bgp)
    is_counted(figures, len(raised.hosts))
    learnt = ask_router(plan, "show", "route")
    for node in raised.site.target.nodes:
        assert str(node.address) in learnt, "the router knows the way to each node's pods"
        ways = raised.hosts[node.name].check(Script.of("ip -4 route show proto bird"))
        assert len(ways.splitlines()) == len(raised.hosts) - 1
        assert f"via {plan.oslo_gateway} " not in ways, "on one layer 2, from node to node"
    _, back = changed(raised, Network())
    is_counted(back, len(raised.hosts))
    for host in raised.hosts.values():
        assert not host.run(Script.of("systemctl is-active bird")).ok
        assert host.check(Script.of("ip -4 route show proto bird")) == ""
