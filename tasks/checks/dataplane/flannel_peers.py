"""FL-PEERS: each node knows the way to each other node's subnet."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from inventory.models.cluster import Fabric, Node
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.counting import on_all
from tasks.checks.dataplane.flannel_only import backend, on_flannel
from tasks.checks.dataplane.observing import Line, read
from tasks.checks.dataplane.remedies import FLANNELD, restart
from tasks.checks.registry import Check
from tasks.drivers.ports import Host
from tasks.facts import neighbours, routes
from tasks.facts.flannel import SubnetEnv, ask_subnet

LINE = Line(
    "FL-PEERS",
    "per peer one route, of the declared backend; VXLAN: one forwarding entry, one PERMANENT neighbour",
    Severity.CRITICAL,
)


def run(context: DataPlane) -> list[Finding]:
    """One finding a node, naming the peers that it does not know."""
    cluster, device = context.site.target.cluster, backend(context).link
    overlaid = cluster.network.kind == "flannel_vxlan"
    there = [node for node in context.site.target.nodes if node.name in context.hosts]
    told = on_all(there, lambda node: read(context, context.hosts[node.name], ask_subnet())[0])
    subnets = {name: env.subnet.network for name, env in told.items() if isinstance(env, SubnetEnv)}
    unknown = [node.name for node in context.site.target.nodes if node.name not in subnets]

    def judge(node: Node, host: Host) -> Finding:
        table, of_routes = read(context, host, routes.ask())
        others = [name for name in unknown if name != node.name]
        problems = [f"the subnet is not known of {', '.join(others)}"] if others else []
        peers = [
            peer for peer in context.site.target.nodes if peer.name in subnets and peer.name != node.name
        ]
        evidence = [of_routes]
        near: tuple[neighbours.Neighbour, ...] = ()
        far: tuple[neighbours.Forwarding, ...] = ()
        if overlaid:
            near, of_near = read(context, host, neighbours.ask_neighbours(device))
            far, of_far = read(context, host, neighbours.ask_forwarding(device))
            evidence += [of_near, of_far]
        for peer in peers:
            subnet = subnets[peer.name]
            plain = [r for r in table if r.destination == str(subnet) and r.via == str(peer.address)]
            if not overlaid:
                problems += _without_overlay(cluster, peer, subnet, device, table)
            elif not (plain and cluster.network.direct_routing):
                problems += _overlay(peer, subnet, device, table, near, far)
        what = "; ".join(problems) or f"{len(peers)} peers, each with its one way"
        learnt = cluster.network.kind == "bgp"
        remedy = (
            f"ssh {node.name} birdc show protocols all" if learnt else restart(context, node.name, FLANNELD)
        )
        verdict = Verdict.FAIL if problems else Verdict.PASS
        return LINE.says(verdict, node.name, what, evidence, remedy)

    return LINE.on_each(context, judge)


def _without_overlay(
    cluster: Fabric, peer: Node, subnet: IPv4Network, device: str, table: tuple[routes.Route, ...]
) -> list[str]:
    """host-gw: via the peer; bgp: whatever the routers say, learnt by BIRD; WireGuard: into its link."""
    if device:
        whole = [r for r in table if r.destination == str(cluster.pod_cidr) and r.device == device]
        own = [r for r in table if r.destination == str(subnet)]
        return [] if whole and not own else [f"{peer.name}: {subnet} does not go into {device}"]
    ways = [r for r in table if r.destination == str(subnet)]
    if cluster.network.kind == "bgp":
        good = len(ways) == 1 and ways[0].protocol == "bird"
        return [] if good else [f"{peer.name}: no single route {subnet} that BIRD has learnt"]
    good = [r.via for r in ways] == [str(peer.address)]
    return [] if good else [f"{peer.name}: no single route {subnet} via {peer.address}"]


def _overlay(
    peer: Node,
    subnet: IPv4Network,
    device: str,
    table: tuple[routes.Route, ...],
    near: tuple[neighbours.Neighbour, ...],
    far: tuple[neighbours.Forwarding, ...],
) -> list[str]:
    gateway = str(subnet.network_address)
    problems = []
    ways = [r for r in table if r.destination == str(subnet)]
    if [(r.via, r.device, r.onlink) for r in ways] != [(gateway, device, True)]:
        problems.append(f"{peer.name}: no single route {subnet} via {gateway} dev {device} onlink")
    macs: Mapping[str, tuple[str, ...]] = {n.mac: n.states for n in near if n.address == gateway}
    if len(macs) != 1 or "PERMANENT" not in next(iter(macs.values())):
        problems.append(f"{peer.name}: no single PERMANENT neighbour {gateway}")
    # flannel leaves entries of a link that a peer made anew: only those of the neighbour's address are used.
    used = [entry.destination for entry in far if entry.mac in macs]
    if used != [str(peer.address)]:
        problems.append(f"{peer.name}: no single forwarding entry to {peer.address}")
    return problems


CHECK = Check(
    LINE.code, "every node knows the way to every other", "dataplane", LINE.severity, on_flannel(LINE, run)
)
