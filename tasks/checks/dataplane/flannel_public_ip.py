"""FL-PUBLIC: flannel knows every node under an address of its own.

Machines that were cloned, and an interface that is behind NAT on all of them, register one address twice; the
others then send one node's packets to another. With etcd the registrations are read there; flannel that keeps
them in the API server leaves an annotation on each node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from inventory.models.cluster import Node, Role
from inventory.models.finding import Evidence, Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import got, on_all
from tasks.checks.dataplane.flannel_only import on_flannel
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import FLANNELD, restart
from tasks.checks.evidence import observed
from tasks.checks.registry import Check, Layer
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Host
from tasks.facts.flannel import ask_leases, ask_subnet
from tasks.operations.flannel import etcd_access

ANNOTATION = "flannel.alpha.coreos.com/public-ip"
LINE = Line("FL-PUBLIC", "no two nodes have one public IP with flannel", Severity.CRITICAL)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, naming who else has its address."""
    by_node, without_subnet, evidence = _registered(context)
    taken = Counter(by_node.values())

    def judge(node: Node, _: Host) -> Finding:
        mine = by_node.get(node.name)
        if node.name in without_subnet:
            what = "the node does not know its subnet, so which registration is its own is not known"
            return LINE.says(Verdict.NODATA, node.name, what, evidence, "see FL-SUBNET")
        if mine is None:
            what = "flannel has no registration of this node"
            remedy = restart(context, node.name, FLANNELD)
            return LINE.says(Verdict.FAIL, node.name, what, evidence, remedy)
        same = [name for name, address in by_node.items() if address == mine and name != node.name]
        what = f"{mine}" + (f", which {' and '.join(same)} has, too" if same else "")
        remedy = (
            f"flanneld on {node.name} must run with --iface and --public-ip {node.address}; then "
            f"{restart(context, node.name, FLANNELD)}"
        )
        return LINE.judged(taken[mine] == 1, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _registered(context: DataPlane) -> tuple[Mapping[str, str], frozenset[str], Evidence]:
    """Node -> public IP, and the nodes whose own cannot be told. Raises what `read` raises."""
    nodes = context.kube.list("v1", "Node")
    annotated = {
        str(node["metadata"]["name"]): str(node["metadata"]["annotations"][ANNOTATION])
        for node in nodes
        if ANNOTATION in node["metadata"].get("annotations", {})
    }
    if annotated:
        seen = observed(context.clock, f"{context.kube.name}: annotations of nodes", str(annotated))
        return annotated, frozenset(), seen
    planes = context.site.target.having(Role.CONTROL_PLANE)
    reachable = [context.hosts[node.name] for node in planes if node.name in context.hosts]
    if not reachable:
        raise ServiceFailed("flannel", "no control-plane node can be asked who is registered")
    etcd = etcd_access(",".join(f"https://{node.address}:2379" for node in planes))
    leases, evidence = read(context, reachable[0], ask_leases(etcd))
    there = [node for node in context.site.target.nodes if node.name in context.hosts]
    told = on_all(there, lambda node: read(context, context.hosts[node.name], ask_subnet())[0])
    envs = {name: got(value) for name, value in told.items()}
    subnets = {name: env.subnet for name, env in envs.items() if env is not None}
    without = envs.keys() - subnets.keys()
    registered = {
        name: leases[str(subnet.network)] for name, subnet in subnets.items() if str(subnet.network) in leases
    }
    return registered, frozenset(without), evidence


CHECK = Check(
    LINE.code,
    "no two nodes have one public IP",
    "dataplane",
    LINE.severity,
    on_flannel(LINE, run),
    layer=Layer.SETTING,
)
