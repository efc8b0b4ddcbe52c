"""flannel with the VXLAN backend: an overlay that asks nothing of the network below but UDP between nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.flannel import EtcdAccess, ask_config
from tasks.facts.gather import Facts
from tasks.operations import cni, flannel

KIND = "flannel_vxlan"


class FlannelVxlan:
    """Implements `contract.PodNetwork`."""

    kind = KIND
    enforces_policies = False  # flannel moves packets; it reads no NetworkPolicy

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cluster = site.target.cluster
        self._planes = site.target.having(Role.CONTROL_PLANE)

    def etcd(self) -> EtcdAccess:
        """How a node asks etcd, which runs on every control-plane node."""
        return flannel.etcd_access(",".join(f"https://{node.address}:2379" for node in self._planes))

    def shared_on(self) -> Node:
        """See `PodNetwork`."""
        return self._planes[0]

    def shared_questions(self) -> Sequence[Asked[Any]]:
        """See `PodNetwork`."""
        return (ask_config(self.etcd()),)

    def plan_shared(self, facts: Facts) -> list[Change]:
        """The configuration in etcd."""
        return flannel.plan_config(self.shared_on().name, self._cluster, self.etcd(), facts)

    def node_questions(self, node: Node) -> Sequence[Asked[Any]]:
        """See `PodNetwork`."""
        return (*cni.questions(), *flannel.questions(node, self._cluster, self.etcd()))

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """flanneld, and the CNI configuration that comes of it."""
        return [
            *flannel.plan_node(node, self._cluster, self.etcd(), facts),
            *cni.plan_conflist(node.name, facts),
        ]


def network(site: Site) -> FlannelVxlan:
    """Raises BadInput where the pod network has too few subnets for the nodes."""
    cluster = site.target.cluster
    subnets = 2 ** (cluster.subnet_len - cluster.pod_cidr.prefixlen)
    # flannel leaves out the first subnet of its network (subnet manager's SubnetMin).
    if subnets - 1 < len(site.target.nodes):
        raise BadInput(
            f"target.cluster: pod_cidr {cluster.pod_cidr} has {subnets - 1} usable subnets of length "
            f"{cluster.subnet_len} for {len(site.target.nodes)} nodes; give a larger pod_cidr or subnet_len"
        )
    return FlannelVxlan(site)
