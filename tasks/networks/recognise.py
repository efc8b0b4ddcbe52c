"""Which networks a cluster has that was not built here: read from its API, never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

import yaml

from inventory.models.cluster import Fabric
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Kube

_FLANNEL = "flannel.alpha.coreos.com"
_BACKENDS = {
    "vxlan": "flannel_vxlan",
    "host-gw": "flannel_host_gw",
    "wireguard": "flannel_wireguard",
    "alloc": "bgp",
}
ENFORCING = frozenset({"calico", "cilium", "weave"})  # networks that heed NetworkPolicies
_DAEMON_SETS = {"calico-node": "calico", "weave-net": "weave", "cilium": "cilium", "aws-node": "aws-vpc-cni"}


def fabric_of(kube: Kube) -> Fabric:
    """The cluster's networks. Raises ServiceFailed where its API does not show one of them, and what the port
    raises.
    """
    nodes = kube.list("v1", "Node")
    configured = _kubeadm(kube)
    pods = configured.get("podSubnet") or _around(
        IPv4Network(cidr)
        for node in nodes
        if ":" not in (cidr := str(node.get("spec", {}).get("podCIDR") or ":"))
    )
    services = configured.get("serviceSubnet") or _service_cidr(kube)
    if not pods or not services:
        missing = "pods" if not pods else "Services"
        raise ServiceFailed(
            kube.name,
            f"its API does not show the network of its {missing}",
            "give `cluster: {name, pod_cidr, service_cidr}` in the file",
        )
    lengths = [
        IPv4Network(cidr).prefixlen for n in nodes if "." in (cidr := str(n["spec"].get("podCIDR", "")))
    ]
    return Fabric.model_validate(
        {
            "name": "cluster",
            "pod_cidr": str(pods).partition(",")[0],
            "service_cidr": str(services).partition(",")[0],
            "subnet_len": lengths[0] if lengths else 24,
            "network": _network(kube, nodes),
        }
    )


def network_of(kube: Kube) -> str:
    """The kind of the cluster's pod network; `unknown` where its API shows none that we know."""
    return str(_network(kube, kube.list("v1", "Node"))["kind"])


def _kubeadm(kube: Kube) -> dict[str, Any]:
    kept = kube.get("v1", "ConfigMap", "kubeadm-config", namespace="kube-system") or {}
    document = yaml.safe_load((kept.get("data") or {}).get("ClusterConfiguration", "")) or {}
    return dict(document.get("networking") or {})


def _service_cidr(kube: Kube) -> str:
    """The ServiceCIDR object (GA since 1.33)."""
    if ("networking.k8s.io/v1", "ServiceCIDR") not in kube.kinds():
        return ""
    cidrs = [
        str(cidr)
        for each in kube.list("networking.k8s.io/v1", "ServiceCIDR")
        for cidr in each["spec"]["cidrs"]
    ]
    return next((cidr for cidr in cidrs if ":" not in cidr), "")


def _around(networks: Iterable[IPv4Network]) -> str:
    """The smallest network that holds them all, empty where there is none."""
    whole: IPv4Network | None = None
    for network in networks:
        whole = network if whole is None else whole
        while not network.subnet_of(whole):
            whole = whole.supernet()
    # With a single node it is no larger than the node's own: the network of all of them is.
    return "" if whole is None else str(whole if whole.prefixlen < 24 else whole.supernet(new_prefix=16))


def _network(kube: Kube, nodes: list[dict[str, Any]]) -> Mapping[str, Any]:
    for node in nodes:
        notes = node["metadata"].get("annotations") or {}
        backend = notes.get(f"{_FLANNEL}/backend-type", "")
        if backend:
            data = json.loads(notes.get(f"{_FLANNEL}/backend-data") or "null") or {}
            vni = {"vni": data["VNI"]} if isinstance(data, dict) and data.get("VNI") else {}
            return {"kind": _BACKENDS.get(backend, f"flannel {backend}"), **vni}
    names = {each["metadata"]["name"] for each in kube.list("apps/v1", "DaemonSet")}
    kind = next((kind for name, kind in _DAEMON_SETS.items() if name in names), "")
    return {"kind": kind or "unknown"}
