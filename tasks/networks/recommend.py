"""Which pod network for this site, and why: facts of the underlay in, every kind with its reasons out. Pure.

The rules are those of the project's survey of networks (flannel's and Calico's documentation); what could not
be found out speaks against a kind that depends on it, never for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FAST_MBIT_PER_S = 10_000.0
LEAST_POD_MTU = 1280  # IPv6's minimum


@dataclass(frozen=True)
class Environment:
    """What the probes and the site file say. None: not known.

    `foreign_sources`: the underlay lets packets pass whose source is a pod. `mtu` is the least of the nodes'
    underlay interfaces, `mbit_per_s` one TCP connection between two nodes. `policies` are NetworkPolicies of
    either cluster, `without_wireguard` nodes whose kernel has none, `routers` those declared for BGP.
    """

    same_l2: bool | None
    foreign_sources: bool | None
    mtu: int | None
    mbit_per_s: float | None
    encrypted: bool = False
    policies: tuple[str, ...] = ()
    without_wireguard: tuple[str, ...] = ()
    routers: int = 0
    manifests: bool = False
    source: str = ""


@dataclass(frozen=True)
class Option:
    """One kind: `against` is empty where the site can carry it; `settings` are more keys of the site file."""

    kind: str
    against: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def possible(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.against


@dataclass(frozen=True)
class Recommendation:
    """`kind` is empty where nothing is possible as the site stands; the options then say what is missing."""

    kind: str
    options: tuple[Option, ...]
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Option | None:
        """The recommended option."""
        return next((option for option in self.options if option.kind == self.kind), None)


Rule = Callable[[Environment], str]  # a reason, or "" where the rule says nothing


def _unenforced(site: Environment) -> str:
    if not site.policies:
        return ""
    return f"enforces no NetworkPolicy, and {len(site.policies)} are in use: {', '.join(site.policies[:3])}"


def _unencrypted(site: Environment) -> str:
    return "does not encrypt between nodes, and the site asks for it" if site.encrypted else ""


def _not_one_l2(site: Environment) -> str:
    told = {
        None: "it is not known whether the nodes are on one layer 2",
        False: "nodes are on several layer 2",
    }
    return told.get(site.same_l2, "")


def _filtered(site: Environment) -> str:
    told = {
        None: "it is not known whether the underlay lets a pod's source address through",
        False: "the underlay drops packets whose source is a pod (ask the provider to allow pod_cidr)",
    }
    return told.get(site.foreign_sources, "")


def _no_router(site: Environment) -> str:
    return "" if site.routers else "no router is declared (target.cluster.network.bgp_peers)"


def _no_module(site: Environment) -> str:
    nodes = ", ".join(site.without_wireguard)
    return f"the kernel has no WireGuard on {nodes} (boot linux-image-amd64)" if nodes else ""


def _no_manifests(site: Environment) -> str:
    return "" if site.manifests else "its manifests are not given (target.cluster.network.manifests)"


def _too_small(header_bytes: int) -> Rule:
    def rule(site: Environment) -> str:
        if site.mtu is None or site.mtu - header_bytes >= LEAST_POD_MTU:
            return ""
        return f"its header leaves pods {site.mtu - header_bytes} bytes of the underlay's {site.mtu}"

    return rule


# Kind -> what speaks against it. The order is that of preference where several are possible: what a site asks
# for by declaring it comes first, then what costs the least.
AGAINST: Mapping[str, tuple[Rule, ...]] = {
    "bgp": (_unenforced, _unencrypted, _no_router, _filtered),
    "flannel_host_gw": (_unenforced, _unencrypted, _not_one_l2, _filtered),
    "flannel_vxlan": (_unenforced, _unencrypted, _too_small(50)),
    "flannel_wireguard": (_unenforced, _no_module, _too_small(80)),
    "calico": (_unencrypted, _no_manifests),
}


def _for_bgp(site: Environment) -> str:
    return f"{site.routers} routers are declared: they learn the way to the pods, and nothing is wrapped"


def _for_host_gw(_: Environment) -> str:
    return "all nodes are on one layer 2 that lets pods' addresses through: plain routes, no header"


def _for_vxlan(site: Environment) -> str:
    pods = f", and leaves pods an MTU of {site.mtu - 50}" if site.mtu else ""
    return f"asks nothing of the underlay but UDP between the nodes{pods}"


def _for_wireguard(site: Environment) -> str:
    asked = "the site asks for encryption between nodes" if site.encrypted else "encrypts between nodes"
    return f"{asked}; every kernel has what it needs"


def _for_calico(site: Environment) -> str:
    use = f"the {len(site.policies)} NetworkPolicies in use" if site.policies else "NetworkPolicies"
    return f"enforces {use}"


FOR: Mapping[str, Rule] = {
    "bgp": _for_bgp,
    "flannel_host_gw": _for_host_gw,
    "flannel_vxlan": _for_vxlan,
    "flannel_wireguard": _for_wireguard,
    "calico": _for_calico,
}


def recommend(site: Environment) -> Recommendation:
    """The first possible kind in the order of AGAINST, and every kind with what speaks for or against it."""
    options = tuple(_option(kind, site) for kind in AGAINST)
    kind = next((option.kind for option in options if option.possible), "")
    return Recommendation(kind, options, tuple(_notes(site)))


def _option(kind: str, site: Environment) -> Option:
    against = tuple(reason for rule in AGAINST[kind] if (reason := rule(site)))
    settings: dict[str, Any] = {}
    if kind == "flannel_vxlan":
        # Between nodes of one layer 2 packets then go as they are: with the pod's own address.
        settings["direct_routing"] = site.foreign_sources is True
    return Option(kind, against, () if against else (FOR[kind](site),), settings)


def _notes(site: Environment) -> list[str]:
    notes = []
    if site.mbit_per_s is None:
        notes.append("the rate between nodes could not be measured")
    elif site.mbit_per_s >= FAST_MBIT_PER_S:
        notes.append(
            f"{site.mbit_per_s:,.0f} Mbit/s between nodes: a header costs most here (VXLAN 0.79 of the plain "
            "route's bulk rate), so bgp, flannel_host_gw or calico without an overlay are worth some trouble"
        )
    if site.mtu is None:
        notes.append("the underlay's MTU is not known")
    if site.source == "weave":
        encrypts = (
            "" if site.encrypted else "; if it was there to encrypt, set target.cluster.network.encrypted"
        )
        notes.append(f"the source runs Weave Net, which is archived: it is left behind{encrypts}")
    return notes
