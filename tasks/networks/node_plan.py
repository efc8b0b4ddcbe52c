"""All that the network stage changes on one node: the pod network, kube-proxy, the probe's image."""

from __future__ import annotations

from typing import Any

from inventory.models.change import Change
from inventory.models.cluster import Node
from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.networks import probe_image
from tasks.networks.contract import PodNetwork
from tasks.operations import kube_proxy
from tasks.operations.images_archive import Image
from tasks.operations.preparation import api_endpoint


def questions(network: PodNetwork, node: Node) -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    return (*network.node_questions(node), *kube_proxy.questions(), *probe_image.questions())


def plan(
    network: PodNetwork, site: Site, node: Node, facts: Facts, token: Secret, image: Image
) -> list[Change]:
    """The node's changes, in the order in which they are to be applied."""
    server = f"https://{api_endpoint(site.target)}"
    return [
        *network.plan_node(node, facts),
        *kube_proxy.plan_node(node, site.target.cluster, server, token, facts),
        *probe_image.plan_node(node.name, image, facts),
    ]
