"""Finds the pod networks: every module of this package that defines `network`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import tasks.networks
from inventory.errors import BadInput
from inventory.models.site import Site
from tasks.networks.contract import MakesNetwork, PodNetwork
from tasks.registered import modules_with


@cache
def networks() -> Mapping[str, MakesNetwork]:
    """Every network, by its kind."""
    return MappingProxyType(
        {module.KIND: module.network for module in modules_with(tasks.networks, "network")}
    )


def of_site(site: Site) -> PodNetwork:
    """The network that the site declares.

    Raises BadInput, naming those that would do, for an unknown kind and for one that does not encrypt where
    the site asks for it; and what the network itself raises.
    """
    kind = site.target.cluster.network.kind
    make = networks().get(kind)
    if make is None:
        raise BadInput(
            f"target.cluster.network.kind: no network {kind!r}; known: {', '.join(sorted(networks()))}"
        )
    made = make(site)
    if site.target.cluster.network.encrypted and not made.encrypts:
        raise BadInput(
            f"target.cluster.network.encrypted: {kind} does not encrypt what passes between nodes; "
            "allowed: flannel_wireguard"
        )
    return made
