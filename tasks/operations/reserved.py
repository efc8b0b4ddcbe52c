"""What a kubelet keeps away from pods for the node's own programs, derived from the node's size and roles.

The rule for a node as such is that of GKE on-premises, whose nodes are virtual machines of one's own as
well: 280 MiB and 5 % of the memory, 80 millicores and 1 % of the processors (its page "Resources available
for your workloads", cloud.google.com/anthos/clusters/docs/on-prem). The fixed part is the system's share,
the proportional one Kubernetes'. The shares of etcd and of the data services, which run beside Kubernetes
here, are our own; together they never take more than a quarter of the memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from inventory.models.cluster import Role

SYSTEM_MIB = 280
SYSTEM_MILLICORES = 80
KUBE_MEMORY_SHARE = 0.05
KUBE_CPU_SHARE = 0.01
# etcd maps its database into memory; MariaDB has a pool of 256 MiB, and beside it registry and object store.
ROLE_MIB = {Role.CONTROL_PLANE: 512, Role.DATA: 1024}
ROLES_MEMORY_SHARE = 0.25


@dataclass(frozen=True)
class Reserved:
    """Both reservations, in MiB and millicores."""

    kube_mib: int
    kube_millicores: int
    system_mib: int
    system_millicores: int

    def settings(self) -> Mapping[str, Mapping[str, str]]:
        """As a kubelet's configuration has them."""
        return {
            "kubeReserved": {"cpu": f"{self.kube_millicores}m", "memory": f"{self.kube_mib}Mi"},
            "systemReserved": {"cpu": f"{self.system_millicores}m", "memory": f"{self.system_mib}Mi"},
        }


def reserved(memory_mib: int, processors: int, roles: Collection[Role]) -> Reserved:
    """The reservations of a node with this memory, these processors and roles."""
    beside = min(sum(ROLE_MIB.get(role, 0) for role in set(roles)), round(memory_mib * ROLES_MEMORY_SHARE))
    return Reserved(
        kube_mib=round(memory_mib * KUBE_MEMORY_SHARE),
        kube_millicores=max(1, round(1000 * processors * KUBE_CPU_SHARE)),
        system_mib=SYSTEM_MIB + beside,
        system_millicores=SYSTEM_MILLICORES,
    )
