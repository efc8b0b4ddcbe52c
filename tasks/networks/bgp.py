"""BGP: flannel hands out the subnets (backend `alloc`), BIRD on each node tells the routers where they are.

Packets go as they are. Pods are reached from outside the cluster, too, by whoever learns from the routers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.site import Site
from tasks.facts import packages as package_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.networks.flannel import Flannel
from tasks.operations import bird, packages

KIND = "bgp"


class Bgp(Flannel):
    """Implements `contract.PodNetwork`."""

    def node_questions(self, node: Node) -> Sequence[Asked[Any]]:
        """See `PodNetwork`."""
        return (
            *super().node_questions(node),
            package_facts.ask((bird.PACKAGE,)),
            *bird.questions(node, self._cluster),
        )

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """flannel's part, then BIRD."""
        installed = facts.of(package_facts.ask((bird.PACKAGE,)))
        return [
            *packages.plan(node.name, installed, (bird.PACKAGE,)),
            *super().plan_node(node, facts),
            *bird.plan_node(node, self._cluster, facts),
        ]


def network(site: Site) -> Bgp:
    """Raises BadInput where no router is declared, or one of the nodes' own number."""
    declared = site.target.cluster.network
    where = "target.cluster.network"
    if not declared.bgp_peers:
        raise BadInput(
            f"{where}.bgp_peers: {KIND} needs the routers that it shall tell; without one "
            "take flannel_host_gw"
        )
    for peer in declared.bgp_peers:
        if peer.as_number == declared.as_number:
            raise BadInput(
                f"{where}.bgp_peers: {peer.address} has the nodes' own AS number {peer.as_number}; the nodes "
                "learn of each other through it, so it must be another"
            )
    return Bgp(site)
