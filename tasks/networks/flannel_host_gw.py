"""flannel with the host-gw backend: plain routes from node to node, no header, on one layer-2 network only.

The network below must let packets pass whose source is a pod: `network recommend` asks it.
"""

from __future__ import annotations

from inventory.errors import BadInput
from inventory.models.site import Site
from tasks.networks.flannel import Flannel

KIND = "flannel_host_gw"


class FlannelHostGw(Flannel):
    """Implements `contract.PodNetwork`."""


def network(site: Site) -> FlannelHostGw:
    """Raises BadInput where a node's address is not of the declared underlay, which must be one network."""
    underlay = site.target.underlay
    outside = [node.name for node in site.target.nodes if underlay and node.address not in underlay]
    if outside:
        raise BadInput(
            f"target.cluster.network.kind: {KIND} needs all nodes on one layer-2 network; outside "
            f"target.underlay {underlay}: {', '.join(outside)}; take flannel_vxlan with direct_routing"
        )
    return FlannelHostGw(site)
