"""The cluster's own Services, asked from nodes where no probe may be started: does a connection get through?

It is opened and closed again, and nothing is said over it; what answers is the Service's business. Each node
asks a share of them, so that a large cluster is not flooded, and the nodes together ask the more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.cluster import Node
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.checks.context import DataPlane
from tasks.checks.dataplane.observing import Line, ask, node_probe_of
from tasks.checks.dataplane.proxy_endpoints import expected_endpoints
from tasks.facts.probe import parse_dialled

AT_MOST = 100  # addresses that one node asks
NAMED = 5


@dataclass(frozen=True)
class Ways:
    """TCP ports of Services with a ready endpoint: `address:port` or NodePort -> `namespace/name:port`."""

    virtual: Mapping[str, str]
    node_ports: Mapping[int, str]


def ways(context: DataPlane) -> Ways:
    """NodePorts only where every node forwards them. Raises what `Kube.list` raises."""
    virtual, node_ports = {}, {}
    ready = expected_endpoints(context)
    for service in context.kube.list("v1", "Service"):
        spec = service["spec"]
        for port in spec.get("ports", ()):
            label = f":{port['name']}" if port.get("name") else ""
            name = f"{service['metadata']['namespace']}/{service['metadata']['name']}{label}"
            if name not in ready or port.get("protocol", "TCP") != "TCP":
                continue
            virtual[f"{spec['clusterIP']}:{port['port']}"] = name
            if port.get("nodePort") and spec.get("externalTrafficPolicy", "Cluster") == "Cluster":
                node_ports[int(port["nodePort"])] = name
    return Ways(virtual, node_ports)


def share(context: DataPlane, node: Node, all_of_them: Sequence[str]) -> list[str]:
    """What this node asks: each begins where another ends."""
    if len(all_of_them) <= AT_MOST:
        return list(all_of_them)
    names = [each.name for each in context.site.target.nodes]
    start = names.index(node.name) * AT_MOST % len(all_of_them)
    return [*all_of_them[start:], *all_of_them[:start]][:AT_MOST]


def dialled(
    context: DataPlane, line: Line, node: Node, asker: Node, names: Mapping[str, str], remedy: str
) -> Finding:
    """The finding about `node`, whose or whose Services' addresses (-> name) `asker` dials."""
    addresses = share(context, node, sorted(names))
    found, evidence = ask(context, node_probe_of(context, asker), ["tcp", *addresses], parse_dialled)
    dead = [f"{names[each.address]} at {each.address}: {each.error}" for each in found if not each.ok]
    by = "" if asker.name == node.name else f"asked by {asker.name}: "
    all_of_them = f" of {len(names)}" if len(addresses) < len(names) else ""
    what = f"{len(addresses)}{all_of_them} Services take a connection (nothing was said over it)"
    if dead:
        what = f"{len(dead)} of {len(addresses)} Services take none: {'; '.join(dead[:NAMED])}"
    return line.says(Verdict.FAIL if dead else Verdict.PASS, node.name, by + what, evidence, remedy)
