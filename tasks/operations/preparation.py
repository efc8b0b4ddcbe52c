"""What every phase of the preparation works with: the site, and what lies ready on the lead's machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.cluster import Node, Role
from inventory.models.secret import Secret
from inventory.models.site import Side, Site, Target
from inventory.profile import Profile
from tasks.operations.pki import Pki

API_PORT = 6443
BALANCER_PORT = 16443  # of the local way to all API servers, on 127.0.0.1 of every node
ETCD_PORT = 2379
BIN = "/opt/safe-harbor/bin"  # our programs on a node; /usr/local/bin has links to them


def balances(target: Side) -> bool:
    """Whether every node gets a local way to all API servers: several, and no endpoint of the site's own."""
    return not target.cluster.api_endpoint and len(target.having(Role.CONTROL_PLANE)) > 1


def api_endpoint(target: Side) -> str:
    """`host:port` under which nodes reach the API.

    With several control planes it outlives each of them: the site's own virtual address or load balancer, or
    else haproxy on every node, which knows all of them.
    """
    if target.cluster.api_endpoint:
        return target.cluster.api_endpoint
    if balances(target):
        return f"127.0.0.1:{BALANCER_PORT}"
    return f"{target.having(Role.CONTROL_PLANE)[0].address}:{API_PORT}"


def lead_endpoints(target: Side) -> tuple[str, ...]:
    """`host:port` under which the lead's machine reaches the API, the first being preferred."""
    if target.cluster.api_endpoint:
        return (target.cluster.api_endpoint,)
    return tuple(f"{node.address}:{API_PORT}" for node in target.having(Role.CONTROL_PLANE))


@dataclass(frozen=True)
class LocalFile:
    """A file on the lead's machine and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Preparation:
    """`programs` maps names to files; `archives` maps `control-plane` and `pause` to image archives.

    `token` is the short-lived bootstrap token of this run (`abcdef.0123456789abcdef`).
    """

    site: Site
    profile: Profile
    programs: Mapping[str, LocalFile]
    archives: Mapping[str, LocalFile]
    pki: Pki
    registry_ca: bytes
    token: Secret

    @property
    def target(self) -> Target:
        """The nodes and their cluster."""
        return self.site.target

    @property
    def planes(self) -> tuple[Node, ...]:
        """The control-plane nodes, the first one is where `kubeadm init` runs."""
        return self.site.target.having(Role.CONTROL_PLANE)

    @property
    def endpoint(self) -> str:
        """See `api_endpoint`."""
        return api_endpoint(self.site.target)

    @property
    def etcd_endpoints(self) -> tuple[str, ...]:
        """etcd's client URLs."""
        return tuple(f"https://{node.address}:{ETCD_PORT}" for node in self.planes)
