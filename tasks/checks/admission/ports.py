"""ADM-PORTS: the ports of the cluster's programs are free, or already held by those very programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.models.cluster import Node, Role
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission, Subject
from tasks.checks.registry import Check
from tasks.facts import ports

CODE = "ADM-PORTS"
Key = tuple[str, int]


def needed(site: Subject, node: Node) -> Mapping[Key, tuple[str, ...]]:
    """(protocol, port) -> the programs that may hold it on this node."""
    kube = ("kubernetes",)  # the multi-call program's own name, where there is one
    found: dict[Key, tuple[str, ...]] = {
        ("tcp", 10250): ("kubelet", *kube),
        ("tcp", 10248): ("kubelet", *kube),
        ("tcp", 10249): ("kube-proxy", *kube),
        ("tcp", 10256): ("kube-proxy", *kube),
        ("udp", site.target.cluster.network.port): ("",),  # the kernel's own socket of the overlay
    }
    if Role.CONTROL_PLANE in node.roles:
        found |= {
            ("tcp", 6443): ("kube-apiserver", *kube),
            ("tcp", 10257): ("kube-controller", *kube),
            ("tcp", 10259): ("kube-scheduler", *kube),
            ("tcp", 2379): ("etcd",),
            ("tcp", 2380): ("etcd",),
            ("tcp", 2381): ("etcd",),
        }
    return found


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

    expected = (
        "the ports of kubelet, kube-proxy, the overlay and, on a control plane, of its programs are free"
    )
    return each_host(context, CODE, expected, Severity.HIGH, ports.ask(), by_node)


CHECK = Check(CODE, "Ports are free", "admission", Severity.HIGH, run)
