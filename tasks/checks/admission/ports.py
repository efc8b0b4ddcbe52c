"""ADM-PORTS: the ports of the cluster's programs are free, or already held by those very programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from inventory.models.cluster import Network, Node, Role
from inventory.models.finding import Finding, Severity
from inventory.models.site import Target
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission, Subject
from tasks.checks.registry import Check
from tasks.facts import ports
from tasks.operations.flannel import HEALTH_PORT
from tasks.operations.flannel_backends import WIREGUARD_PORT, backend_of
from tasks.operations.haproxy import EDGE_PORT
from tasks.operations.preparation import API_PORT, BALANCER_PORT, ETCD_PORT, balances

CODE = "ADM-PORTS"
_KUBE = ("kubernetes",)  # the multi-call program's own name, where there is one
_BGP = 179
Key = tuple[str, int]


def needed(site: Subject, node: Node) -> Mapping[Key, tuple[str, ...]]:
    """(protocol, port) -> the programs that may hold it on this node; "" is the kernel itself.

    What `prepare` and `network` set up with ports of their own choice is asked for only where they will: on a
    `Target`, not on a cluster that is only looked at.
    """
    found: dict[Key, tuple[str, ...]] = {
        ("tcp", 10250): ("kubelet", *_KUBE),
        ("tcp", 10248): ("kubelet", *_KUBE),
        ("tcp", 10249): ("kube-proxy", *_KUBE),
        ("tcp", 10256): ("kube-proxy", *_KUBE),
        **_of_network(site.target.cluster.network),
    }
    if Role.CONTROL_PLANE in node.roles:
        found |= {
            ("tcp", API_PORT): ("kube-apiserver", *_KUBE),
            ("tcp", 10257): ("kube-controller", *_KUBE),
            ("tcp", 10259): ("kube-scheduler", *_KUBE),
            ("tcp", ETCD_PORT): ("etcd",),
            ("tcp", 2380): ("etcd",),
            ("tcp", 2381): ("etcd",),
        }
    if isinstance(site.target, Target):
        found |= _of_ours(site.target, node)
    return found


def _of_network(network: Network) -> Mapping[Key, tuple[str, ...]]:
    """What the declared network takes on every node. Plain routes (host-gw) take nothing."""
    by_kind: Mapping[str, Mapping[Key, tuple[str, ...]]] = {
        "flannel_vxlan": {("udp", network.port): ("",)},
        "flannel_wireguard": {("udp", WIREGUARD_PORT): ("",)},
        "bgp": {("tcp", _BGP): ("bird",)},
        "calico": {("tcp", _BGP): ("bird",)},
    }
    return by_kind.get(network.kind, {})


def _of_ours(target: Target, node: Node) -> Mapping[Key, tuple[str, ...]]:
    """What else of ours runs on this node: flanneld, the way to the API, the edge, the data services."""
    found: dict[Key, tuple[str, ...]] = {}
    if backend_of(target.cluster.network) is not None:
        found[("tcp", HEALTH_PORT)] = ("flanneld",)
    if balances(target):
        found[("tcp", BALANCER_PORT)] = ("haproxy",)
    if Role.EDGE in node.roles:
        found[("tcp", EDGE_PORT)] = ("haproxy",)
    if Role.DATA in node.roles:  # a service without a certificate is there already, wherever that is
        if target.database.certificate_file:
            found[("tcp", target.database.port)] = ("mariadbd",)
        if target.registry.certificate_file:
            found[("tcp", _port(f"//{target.registry.address}"))] = ("docker-registry",)
        if target.bucket.certificate_file:
            found[("tcp", _port(target.bucket.endpoint_url))] = ("versitygw",)
    return found


def _port(url: str) -> int:
    return urlsplit(url).port or 443


def judge(wanted: Mapping[Key, tuple[str, ...]], found: Iterable[ports.Listener]) -> Judged:
    """Everything that is in the way."""
    taken = sorted(
        {
            f"{listener.protocol}/{listener.port} by {listener.program or 'an unknown program'}"
            for listener in found
            if (listener.protocol, listener.port) in wanted
            and not _ours(listener.program, wanted[(listener.protocol, listener.port)])
        }
    )
    if taken:
        return Judged(
            Verdict.FAIL, "taken: " + ", ".join(taken), "stop that program, or move it to another port"
        )
    return Judged(Verdict.PASS, f"{len(wanted)} ports are free or ours")


def _ours(program: str, holders: tuple[str, ...]) -> bool:
    # The kernel cuts a program's name to 15 characters.
    return any(program == holder[:15] for holder in holders)


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host by its role."""
    nodes = {node.name: node for node in context.site.target.nodes}

    def by_node(name: str, found: tuple[ports.Listener, ...]) -> Judged:
        return judge(needed(context.site, nodes[name]), found)

    expected = "the ports of what will run here are free: the cluster, its network, what the roles ask for"
    return each_host(context, CODE, expected, Severity.HIGH, ports.ask(), by_node)


CHECK = Check(CODE, "Ports are free", "admission", Severity.HIGH, run)
