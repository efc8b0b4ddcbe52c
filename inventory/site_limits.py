"""What a cluster's declaration must keep to, each rule by its name: a waiver of that name lets it through.

The rules are those that Kubespray asserts of an inventory, and kubeadm of a configuration. They judge plain
values: the loader gives them those of a file, the preflight checks those of a loaded site. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

SUBJECT = "site"  # what a waiver of these rules names as its subject, or `*`
ODD = "PRE-ODD"
PODS = "PRE-PODS"
ROOM = "PRE-ROOM"
OVERLAP = "PRE-OVERLAP"
RULES = {
    ODD: "an odd number of control planes: etcd needs more than half of its members",
    PODS: "a node's share of pod_cidr holds max_pods",
    ROOM: "pod_cidr has a share for every node, service_cidr an address for the cluster's own Services",
    OVERLAP: "pods, Services, the underlay and the source's networks keep clear of each other",
}
LEAST_SERVICE_ADDRESSES = 10  # kubeadm's own minimum


@dataclass(frozen=True)
class Broken:
    """A rule that is not kept; `key` is the dotted key in the site file that it is about."""

    rule: str
    key: str
    what: str


@dataclass(frozen=True)
class Numbers:
    """What of a declaration the rules look at."""

    planes: int
    nodes: int
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    subnet_len: int
    max_pods: int


def broken(numbers: Numbers) -> Iterator[Broken]:
    """Every rule that the numbers break."""
    if numbers.planes % 2 == 0:
        what = f"{numbers.planes} control-plane nodes: etcd needs an odd number, and at least one"
        yield Broken(ODD, "target.nodes", what)
    free = 2 ** (32 - numbers.subnet_len) - 2
    if numbers.max_pods > free:
        what = f"max_pods {numbers.max_pods} do not fit a /{numbers.subnet_len}, which holds {free}"
        yield Broken(PODS, "target.cluster.max_pods", what)
    shares = 2 ** max(0, numbers.subnet_len - numbers.pod_cidr.prefixlen)
    if numbers.subnet_len <= numbers.pod_cidr.prefixlen:
        what = f"subnet_len {numbers.subnet_len} leaves no room for nodes in pod_cidr {numbers.pod_cidr}"
        yield Broken(ROOM, "target.cluster.subnet_len", what)
    elif shares < numbers.nodes:
        what = f"{numbers.pod_cidr} has {shares} shares of /{numbers.subnet_len} for {numbers.nodes} nodes"
        yield Broken(ROOM, "target.cluster.pod_cidr", what)
    if numbers.service_cidr.num_addresses < LEAST_SERVICE_ADDRESSES:
        what = (
            f"{numbers.service_cidr} has {numbers.service_cidr.num_addresses} addresses: "
            f"{LEAST_SERVICE_ADDRESSES} are the least"
        )
        yield Broken(ROOM, "target.cluster.service_cidr", what)


def overlapping(networks: Mapping[str, IPv4Network]) -> Iterator[Broken]:
    """Every pair of declared networks (dotted key -> network) that overlap; the source's own may."""
    for (key, network), (other_key, other) in combinations(networks.items(), 2):
        both_at_source = key.startswith("source.") and other_key.startswith("source.")
        if not both_at_source and network.overlaps(other):
            yield Broken(OVERLAP, key, f"{key} {network} overlaps {other_key} {other}")
