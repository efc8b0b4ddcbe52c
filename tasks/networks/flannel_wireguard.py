"""flannel with the WireGuard backend: what passes between nodes is encrypted, by the kernel's WireGuard.

flanneld makes the keys itself, one pair a node, and keeps the public ones in etcd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.site import Site
from tasks.drivers.errors import ServiceFailed
from tasks.facts import files as file_facts
from tasks.facts import modules as module_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.networks.flannel import Flannel
from tasks.operations import modules

KIND = "flannel_wireguard"
MODULE = "wireguard"
AT_BOOT = "/etc/modules-load.d/safe-harbor-network.conf"


class FlannelWireguard(Flannel):
    """Implements `contract.PodNetwork`."""

    encrypts = True

    def node_questions(self, node: Node) -> Sequence[Asked[Any]]:
        """See `PodNetwork`."""
        return (
            *super().node_questions(node),
            module_facts.ask((MODULE,)),
            file_facts.ask((AT_BOOT,)),
        )

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """The kernel's module before flanneld. Raises ServiceFailed where the kernel has none."""
        states = facts.of(module_facts.ask((MODULE,)))
        if states[MODULE] is module_facts.State.MISSING:
            raise ServiceFailed(
                node.name,
                "its kernel has no WireGuard, neither built in nor as a module",
                "boot Debian's own kernel (linux-image-amd64), or take another target.cluster.network.kind",
            )
        file = facts.of(file_facts.ask((AT_BOOT,)))
        return [
            *modules.plan(node.name, states, file, (MODULE,), path=AT_BOOT),
            *super().plan_node(node, facts),
        ]


def network(site: Site) -> FlannelWireguard:
    """Raises BadInput like `Flannel`."""
    return FlannelWireguard(site)
