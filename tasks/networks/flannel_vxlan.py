"""flannel with the VXLAN backend: an overlay that asks nothing of the network below but UDP between nodes.

With `direct_routing`, nodes of one layer 2 send packets as they are, and only the others are wrapped.
"""

from __future__ import annotations

from inventory.models.site import Site
from tasks.networks.flannel import Flannel

KIND = "flannel_vxlan"


class FlannelVxlan(Flannel):
    """Implements `contract.PodNetwork`."""


def network(site: Site) -> FlannelVxlan:
    """Raises BadInput like `Flannel`."""
    return FlannelVxlan(site)
