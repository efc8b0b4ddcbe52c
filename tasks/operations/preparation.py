"""What every phase of the preparation works with: the site, and what lies ready on the lead's machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.cluster import Node, Role
from inventory.models.secret import Secret
from inventory.models.site import Site, Target
from inventory.profile import Profile
from tasks.operations.pki import Pki

API_PORT = 6443
ETCD_PORT = 2379
BIN = "/opt/safe-harbor/bin"  # our programs on a node; /usr/local/bin has links to them


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
        """`host:port` of the API server."""
        return f"{self.planes[0].address}:{API_PORT}"

    @property
    def etcd_endpoints(self) -> tuple[str, ...]:
        """etcd's client URLs."""
        return tuple(f"https://{node.address}:{ETCD_PORT}" for node in self.planes)
