"""flannel's backends: how a pod's packet gets to another node, and what each takes from the underlay.

Source: flannel's Documentation/backends.md and pkg/backend (v0.28); the headers' sizes are its own constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from inventory.models.cluster import Network

WIREGUARD_LINK = "flannel-wg"
WIREGUARD_PORT = 51820


@dataclass(frozen=True)
class Backend:
    """`type` and `settings` stand in etcd. `link` is the overlay's device; empty: packets go as they are.

    `header_bytes` is the difference between the underlay's MTU and the pods'.
    """

    type: str
    header_bytes: int = 0
    link: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """`Backend` of the network's configuration."""
        return {"Type": self.type, **self.settings}


def _vxlan(network: Network) -> Backend:
    settings: dict[str, Any] = {"VNI": network.vni, "Port": network.port}
    if network.direct_routing:
        settings["DirectRouting"] = True
    return Backend("vxlan", 50, f"flannel.{network.vni}", settings)  # outer Ethernet, IPv4, UDP, VXLAN


def _host_gw(_: Network) -> Backend:
    return Backend("host-gw")


def _wireguard(_: Network) -> Backend:
    return Backend("wireguard", 80, WIREGUARD_LINK, {"ListenPort": WIREGUARD_PORT})


def _alloc(_: Network) -> Backend:
    """It hands out subnets and nothing else: the routes are BIRD's."""
    return Backend("alloc")


BACKENDS: Mapping[str, Callable[[Network], Backend]] = MappingProxyType(
    {"flannel_vxlan": _vxlan, "flannel_host_gw": _host_gw, "flannel_wireguard": _wireguard, "bgp": _alloc}
)


def backend_of(network: Network) -> Backend | None:
    """The backend of a declared network; None where it is not flannel's."""
    make = BACKENDS.get(network.kind)
    return make(network) if make else None
