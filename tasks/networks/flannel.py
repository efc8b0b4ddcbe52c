"""What all networks on flannel's backends have in common; a backend's own module adds what it alone needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change
from inventory.models.cluster import Node, Role
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.flannel import EtcdAccess, ask_config, ask_subnet
from tasks.facts.gather import Facts
from tasks.operations import cni, flannel, vxlan_checksum


class Flannel:
    """Implements `contract.PodNetwork`: subnets from etcd, flanneld and CNI configuration on each node."""

    encrypts = False
    enforces_policies = False  # flannel moves packets; it reads no NetworkPolicy

    def __init__(self, site: Site) -> None:
        """Raises BadInput where the pod network has too few subnets for the nodes."""
        cluster = site.target.cluster
        subnets = 2 ** (cluster.subnet_len - cluster.pod_cidr.prefixlen)
        # flannel leaves out the first subnet of its network (subnet manager's SubnetMin).
        if subnets - 1 < len(site.target.nodes):
            raise BadInput(
                f"target.cluster: pod_cidr {cluster.pod_cidr} has {subnets - 1} usable subnets of length "
                f"{cluster.subnet_len} for {len(site.target.nodes)} nodes; give a larger pod_cidr or "
                "subnet_len"
            )
        self._cluster = cluster
        self._planes = site.target.having(Role.CONTROL_PLANE)

    @property
    def kind(self) -> str:
        """See `PodNetwork`."""
        return self._cluster.network.kind

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
        return (
            *cni.questions(),
            *flannel.questions(node, self._cluster, self.etcd()),
            *vxlan_checksum.questions(self._cluster),
        )

    def plan_node(self, node: Node, facts: Facts) -> list[Change]:
        """flanneld with what its link needs, and the CNI configuration that comes of it."""
        return [
            *vxlan_checksum.plan(node.name, self._cluster, facts),
            *flannel.plan_node(node, self._cluster, self.etcd(), facts),
            *cni.plan_conflist(node.name, facts),
        ]

    def replaces(self, facts: Facts) -> bool:
        """Whether flanneld has given the node a subnet, by another configuration than the declared one."""
        return facts.of(ask_subnet()) is not None and flannel.replaces(self._cluster, facts)
