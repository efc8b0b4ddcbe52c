"""The addresses of the target that the world sees: what geo databases and registries can speak of."""

from __future__ import annotations

from ipaddress import IPv4Address

from inventory.models.site import Site
from tasks.checks.residency.observation import as_address, host_of


def public_addresses(site: Site) -> dict[str, IPv4Address]:
    """What the address is for -> the address; private ones are left out, for no table has them."""
    target = site.target
    named = {
        "edge": target.edge.address,
        "database": target.database.host,
        "registry": host_of(target.registry.address),
        "bucket": host_of(target.bucket.endpoint_url),
        "name server": site.dns.server,
        **{node.name: str(node.address) for node in target.nodes},
    }
    found: dict[str, IPv4Address] = {}
    for what, text in named.items():
        address = as_address(text)
        if address is not None and address.is_global and address not in found.values():
            found[what] = address
    return found
