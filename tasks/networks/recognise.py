"""Which networks a cluster has that was not built here: read from its API, never guessed.

What flannel is told stands in its ConfigMap (`kube-flannel-cfg` in kube-flannel.yml, `canal-config` in
canal), which its DaemonSet names; what flanneld keeps in etcd is not seen here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

import yaml

from inventory.models.cluster import Fabric, ProxyMode
from inventory.models.daemon_set import DaemonSet
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Kube
from tasks.facts.proxy_config import configured

_FLANNEL = "flannel.alpha.coreos.com"
_BACKENDS = {
    "vxlan": "flannel_vxlan",
    "host-gw": "flannel_host_gw",
    "wireguard": "flannel_wireguard",
    "alloc": "bgp",
}
ENFORCING = frozenset({"calico", "cilium", "weave"})  # networks that heed NetworkPolicies
_DAEMON_SETS = {"calico-node": "calico", "weave-net": "weave", "cilium": "cilium", "aws-node": "aws-vpc-cni"}


def fabric_of(kube: Kube, declared: Fabric | None = None) -> Fabric:
    """The cluster's networks; what a file declares of them wins over what is read.

    Raises ServiceFailed where neither shows one of them, and what the port raises.
    """
    said = declared.model_dump(mode="json", exclude_unset=True) if declared else {}
    nodes = kube.list("v1", "Node")
    daemon_sets = kube.list("apps/v1", "DaemonSet")
    networking, flannel = _kubeadm(kube), _net_conf(kube, daemon_sets)
    pods = (
        said.get("pod_cidr")
        or networking.get("podSubnet")
        or flannel.get("Network")
        or _around(
            IPv4Network(cidr)
            for node in nodes
            if ":" not in (cidr := str(node.get("spec", {}).get("podCIDR") or ":"))
        )
    )
    services = said.get("service_cidr") or networking.get("serviceSubnet") or _service_cidr(kube)
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
    proxy = configured(kube)
    read = {
        "name": "cluster",
        "subnet_len": lengths[0] if lengths else 24,
        "network": {**_network(nodes, daemon_sets, flannel), **said.get("network", {})},
        "kube_proxy": {
            "mode": proxy.mode if proxy else ProxyMode.UNKNOWN,
            "masquerade_all": bool(proxy and proxy.masquerade_all),
            **said.get("kube_proxy", {}),
        },
    }
    cidrs = {"pod_cidr": str(pods).partition(",")[0], "service_cidr": str(services).partition(",")[0]}
    merged = {**read, **{key: value for key, value in said.items() if key not in ("network", "kube_proxy")}}
    return Fabric.model_validate({**merged, **cidrs})


def daemons_of(kube: Kube) -> Mapping[str, DaemonSet]:
    """`flanneld` and `kube-proxy` as pods, by name; one that is not there runs otherwise, or not at all."""
    found = {}
    for each in kube.list("apps/v1", "DaemonSet"):
        for daemon in ("flanneld", "kube-proxy"):
            if _runs(each, daemon):
                labels = ((each.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
                selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
                name = each["metadata"]
                found[daemon] = DaemonSet(str(name["namespace"]), str(name["name"]), selector)
    return found


def network_of(kube: Kube) -> str:
    """The kind of the cluster's pod network; `unknown` where its API shows none that we know."""
    return str(_network(kube.list("v1", "Node"), kube.list("apps/v1", "DaemonSet"), {})["kind"])


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


def _network(
    nodes: list[dict[str, Any]], daemon_sets: list[dict[str, Any]], flannel: Mapping[str, Any]
) -> Mapping[str, Any]:
    for node in nodes:
        notes = node["metadata"].get("annotations") or {}
        backend = notes.get(f"{_FLANNEL}/backend-type", "")
        if backend:
            data = json.loads(notes.get(f"{_FLANNEL}/backend-data") or "null") or {}
            vni = {"vni": data["VNI"]} if isinstance(data, dict) and data.get("VNI") else {}
            return {"kind": _BACKENDS.get(backend, f"flannel {backend}"), **_told(flannel), **vni}
    names = {each["metadata"]["name"] for each in daemon_sets}
    kind = next((kind for name, kind in _DAEMON_SETS.items() if name in names), "")
    return {"kind": kind or "unknown"}


def _told(flannel: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the checks need of `Backend` in net-conf.json, in a site file's words."""
    backend = flannel.get("Backend") or {}
    keys = {"VNI": "vni", "Port": "port", "DirectRouting": "direct_routing"}
    # A port of 0 is the kernel's own choice, which is 8472 on Linux, as in a site file without one.
    return {ours: backend[key] for key, ours in keys.items() if backend.get(key)}


def _net_conf(kube: Kube, daemon_sets: list[dict[str, Any]]) -> Mapping[str, Any]:
    """flannel's own configuration; empty where no ConfigMap of its DaemonSet holds one."""
    for each in daemon_sets:
        if not _runs(each, "flanneld"):
            continue
        for volume in each["spec"]["template"]["spec"].get("volumes") or ():
            name = (volume.get("configMap") or {}).get("name", "")
            kept = (
                kube.get("v1", "ConfigMap", name, namespace=each["metadata"]["namespace"]) if name else None
            )
            text = ((kept or {}).get("data") or {}).get("net-conf.json", "")
            try:
                document = json.loads(text or "null")
            except ValueError as error:
                what = f"net-conf.json of ConfigMap {name} is no JSON: {error}"
                raise ServiceFailed(kube.name, what, f"kubectl edit configmap {name}") from None
            if isinstance(document, dict):
                return document
    return {}


def _runs(daemon_set: Mapping[str, Any], program: str) -> bool:
    """Whether a container of its pods starts this program."""
    template = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    words = [
        str(word)
        for container in template.get("containers") or ()
        for key in ("command", "args")
        for word in container.get(key) or ()
    ]
    return any(word.rpartition("/")[2] == program for word in words)
