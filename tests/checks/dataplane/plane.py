"""The data plane of a healthy node, as recorded, to be spoiled one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inventory.models.cluster import Fabric, KubeProxy, Network
from inventory.models.command import Command, Shellable
from inventory.models.finding import Finding
from inventory.models.site import Side, Workload
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane import steal
from tasks.checks.registry import in_group, judge
from tasks.drivers.errors import HostUnreachable, Unasked
from tasks.drivers.ports import Output
from tasks.facts import (
    conntrack,
    counters,
    cpu,
    flannel,
    flanneld,
    iptables,
    links,
    neighbour_cache,
    neighbours,
    nftables,
    routes,
    sysctl,
    virtualization,
)
from tasks.facts.asked import Asked
from tasks.facts.probe import PORT
from tasks.networks.recognise import daemons_of
from tasks.operations.flannel import etcd_access
from tasks.steps.examined import Observed
from tests.networks import stock
from tests.networks.cluster import MemoryKube, StillClock, pod, said
from tests.operations.network_site import site

DATA = Path(__file__).parents[2] / "data" / "dataplane"
SUBJECT = "oslo-2"
SUBNETS = {"oslo-1": "10.244.84.1/24", "oslo-2": "10.244.99.1/24", "oslo-3": "10.244.12.1/24"}
SYSCTLS = {
    ("net.ipv4.ip_forward",): ("1",),
    ("net.bridge.bridge-nf-call-iptables",): ("1",),
    ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.rp_filter"): ("0", "2"),
    tuple(f"net.ipv4.neigh.default.gc_thresh{n}" for n in (1, 2, 3)): ("1024", "2048", "4096"),
}


def recorded(name: str) -> str:
    return (DATA / name).read_text()


def settings(keys: Sequence[str], values: Sequence[str | None]) -> str:
    rows = zip(keys, values, strict=True)
    return "".join(f"{k}\tmissing\t\n" if v is None else f"{k}\trw\t{v}\n" for k, v in rows)


KVM = "".join(
    f"{sign}\t{value}\n"
    for sign, value in {
        "detect_vm": "kvm", "detect_container": "none", "kthreadd": "yes", "container_file": "",
        "init_environment": "", "openvz": "no", "vzhost": "no", "dockerenv": "no",
        "uid_map": "0 0 4294967295",
        "dmi_vendor": "QEMU", "dmi_product": "KVM", "hypervisor_flag": "yes", "clocksources": "kvm-clock tsc",
        "xen": "",
    }.items()
)  # fmt: skip


FLANNELD = (
    "program\tflanneld\nstarted_ticks\t5000\nflag\tip=127.0.0.1\nflag\tport=10401\n"
    "booted_s\t1000000\nticks_a_second\t100\nsubnet_s\t1000051\n"
)
Answer = str | Exception | list[str]


class Host:
    """Answers questions from a table; `spoiled` wins over what is recorded, a list is one answer a time."""

    def __init__(self, name: str, spoiled: Mapping[str, Answer]) -> None:
        self.name = name
        subnet = recorded("subnet.txt").replace(SUBNETS["oslo-2"], SUBNETS[name])
        asked: list[tuple[Asked[Any], str]] = [
            (flannel.ask_subnet(), subnet),
            (flanneld.ask(), FLANNELD),
            (links.ask(), recorded("links.txt")),
            (routes.ask(), recorded("routes.txt")),
            (neighbours.ask_neighbours("flannel.1"), recorded("neighbours.txt")),
            (neighbours.ask_forwarding("flannel.1"), recorded("forwarding.txt")),
            (iptables.ask(), recorded("iptables.txt")),
            (nftables.ask(), ""),
            (nftables.ask_tables(), ""),
            (iptables.ask_variants(), recorded("variants.txt")),
            (conntrack.ask(), recorded("conntrack.txt")),
            (counters.ask(), recorded("counters.txt")),
            (neighbour_cache.ask(), recorded("arp-cache.txt")),
            (flannel.ask_leases(etcd_access("https://10.60.0.11:2379")), recorded("leases.txt")),
            (cpu.ask(steal.WINDOW_S), "cpu 10 0 10 80 0 0 0 0 0 0\ncpu 30 0 30 240 0 0 0 1 0 0\n"),
            (virtualization.ask(), KVM),
            (Asked("", Command.of("dmesg"), str), "[ 1.0] Linux\n"),
            *((sysctl.ask(keys), settings(keys, values)) for keys, values in SYSCTLS.items()),
        ]
        self.answers: dict[str, Answer] = {a.command.render(): text for a, text in asked}
        self.answers.update(spoiled)

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        answer = self.answers[command.render()]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return said(answer)


class Pods:
    """The probes' answers on a healthy plane; `spoiled` maps a word to another document."""

    def __init__(self, spoiled: Mapping[str, Any]) -> None:
        self.spoiled = spoiled

    def __call__(self, name: str, words: Sequence[str]) -> Output:
        return said(json.dumps(self.document(name, words)))

    def document(self, name: str, words: Sequence[str]) -> Any:
        key = words[-1].rpartition("/")[2] if words[0] == "get" else words[0]
        spoiled = self.spoiled.get(key)
        if callable(spoiled):
            return spoiled(name)
        if isinstance(spoiled, dict) and (key != "pmtu" or words[2] == spoiled["size"]):
            return spoiled
        match words[0]:
            case "get":
                body = {"proxyMode": "iptables", "metrics": recorded("proxy-metrics.txt")}.get(key, "ok")
                return {"status": 200, "body": body, "error": ""}
            case "hits":
                return {"requests": 96, "errors": 0, "by": met(), "clients": [], "error": ""}
            case "names":
                return {"lookups": 500, "lost": 0, "max_ms": 12.0, "error": ""}
            case "count":
                return {"counters": recorded("counters.txt")}
            case "tcp" | "udp":
                ends = [word for word in words[1:] if ":" in word]
                return {
                    "results": [
                        {"address": e, "ok": e != spoiled, "ms": 1.0, "error": "timed out"} for e in ends
                    ]
                }
            case "pmtu":
                return {"outcome": "passed" if words[2] == "1450" else "refused", "size": words[2]}
            case "bulk":
                return {"bytes": int(words[2]), "by": met(), "error": "", "mbit_per_s": 900.0}
            case "links":
                return {"mtu": {"lo": 65536, "eth0": 1450}}
        raise AssertionError(f"nobody asks {words}")


class OnlyNodes(Pods):
    """Nodes in the place of their probes, as `HostAsked` has them."""

    def __call__(self, name: str, words: Sequence[str]) -> Output:
        if words[0] not in ("get", "tcp") or all(word.endswith(f":{PORT}") for word in words[1:]):
            raise Unasked(name, f"`{words[0]}` is asked by probe pods only")
        return super().__call__(name, words)


def somebody_elses(network: Network | None, proxy: KubeProxy | None) -> Observed:
    """The same nodes in a cluster that no site file declares."""
    declared = site().target
    fabric = Fabric(
        name="theirs",
        pod_cidr=declared.cluster.pod_cidr,
        service_cidr=declared.cluster.service_cidr,
        network=network or Network(),
        kube_proxy=proxy or KubeProxy(),
    )
    return Observed("web", None, Side(nodes=declared.nodes, cluster=fabric), Workload())


def met() -> dict[str, int]:
    """Every endpoint answered."""
    return {p["metadata"]["name"]: 16 for p in probe_pods()}


def slices() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(recorded("slices.json"))
    return found


def probe_pods() -> list[dict[str, Any]]:
    """The pods behind the recorded Service."""
    return [
        pod(endpoint["targetRef"]["name"], endpoint["nodeName"], endpoint["addresses"][0], app=app)
        for item in slices()
        for endpoint in item["endpoints"]
        if "targetRef" in endpoint
        for app in ["probe-peer" if "peer" in endpoint["targetRef"]["name"] else "probe"]
    ]


def judged(
    code: str,
    *,
    host: Mapping[str, Answer] | None = None,
    pods: Mapping[str, Any] | None = None,
    objects: Sequence[dict[str, Any]] = (),
    network: Network | None = None,
    proxy: KubeProxy | None = None,
    without_probes: bool = False,
    enforces_policies: bool = False,
    ours: bool = True,
    only_looks: bool = False,
) -> list[Finding]:
    """The findings of one check where this is spoiled on the subject.

    `only_looks`: as the doctor does, whose nodes answer by themselves what needs no other probe.
    """
    kube = MemoryKube(OnlyNodes(pods or {}) if only_looks else Pods(pods or {}))
    kube.put(*json.loads(recorded("services.json")), *slices(), *probe_pods(), *objects)
    by_node = {
        p["spec"]["nodeName"]: p["metadata"]["name"]
        for p in probe_pods()
        if p["metadata"]["labels"]["app"] == "probe"
    }
    context = DataPlane(
        site=site(network=network, proxy=proxy) if ours else somebody_elses(network, proxy),
        hosts={name: Host(name, (host or {}) if name == SUBJECT else {}) for name in SUBNETS},  # type: ignore[misc] # only run() is asked
        kube=kube,
        probes={} if without_probes or only_looks else by_node,
        clock=StillClock(),
        node_probes={} if without_probes else {node: f"node-{node}" for node in SUBNETS},
        enforces_policies=enforces_policies,
        ours=ours,
        daemons={} if ours else daemons_of(MemoryKube().put(*stock.objects())),
        without_probes=only_looks,
    )
    (check,) = [check for check in in_group("dataplane") if check.code == code]
    return judge([check], context)


def verdict(findings: Sequence[Finding], subject: str = SUBJECT) -> Verdict:
    """The verdict on the subject."""
    (mine,) = [finding for finding in findings if finding.subject == subject]
    assert mine.verdict is Verdict.PASS or mine.remedy, "what is not a pass says what to do"
    return mine.verdict


UNREACHABLE = HostUnreachable(SUBJECT, "no connection")
