"""The networks of a cluster that somebody else built, as its API shows them."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml

from tasks.drivers.errors import ServiceFailed
from tasks.networks.recognise import fabric_of
from tests.networks.cluster import MemoryKube


class Api(MemoryKube):
    def kinds(self) -> list[tuple[str, str]]:
        return [("networking.k8s.io/v1", "ServiceCIDR")]


def node(name: str, cidr: str = "", **annotations: str) -> dict[str, Any]:
    notes = {f"flannel.alpha.coreos.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    spec = {"podCIDR": cidr} if cidr else {}
    return {"kind": "Node", "metadata": {"name": name, "annotations": notes}, "spec": spec}


def kubeadm(pods: str, services: str) -> dict[str, Any]:
    text = yaml.safe_dump({"networking": {"podSubnet": pods, "serviceSubnet": services}})
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"ClusterConfiguration": text}}


def service_cidr(*cidrs: str) -> dict[str, Any]:
    return {"kind": "ServiceCIDR", "metadata": {"name": "kubernetes"}, "spec": {"cidrs": list(cidrs)}}


def daemon_set(name: str) -> dict[str, Any]:
    return {"kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"}}


def test_kubeadms_own_words_are_taken() -> None:
    backend = {"backend_type": "vxlan", "backend_data": json.dumps({"VNI": 7, "VtepMAC": "aa"})}
    kube = Api().put(node("a", "10.44.1.0/24", **backend), kubeadm("10.44.0.0/16", "10.45.0.0/16"))
    found = fabric_of(kube)
    assert (found.pod_cidr, found.service_cidr) == (IPv4Network("10.44.0.0/16"), IPv4Network("10.45.0.0/16"))
    assert (found.network.kind, found.network.vni, found.subnet_len) == ("flannel_vxlan", 7, 24)


def test_without_them_the_nodes_and_the_service_cidr_say_it() -> None:
    kube = Api().put(
        node("a", "10.0.0.0/24"), node("b", "10.0.3.0/24"), service_cidr("fd00::/112", "10.96.0.0/12")
    )
    found = fabric_of(kube)
    assert found.pod_cidr == IPv4Network("10.0.0.0/22")
    assert found.service_cidr == IPv4Network("10.96.0.0/12")


@pytest.mark.parametrize(
    ("objects", "kind"),
    [
        ([daemon_set("calico-node")], "calico"),
        ([daemon_set("weave-net")], "weave"),
        ([daemon_set("node-exporter")], "unknown"),
    ],
)
def test_other_networks_are_known_by_their_daemons(objects: list[dict[str, Any]], kind: str) -> None:
    kube = Api().put(node("a"), kubeadm("10.44.0.0/16", "10.45.0.0/16"), *objects)
    assert fabric_of(kube).network.kind == kind


def test_what_is_not_shown_is_not_guessed() -> None:
    with pytest.raises(ServiceFailed, match="does not show the network of its pods"):
        fabric_of(Api().put(node("a"), service_cidr("10.96.0.0/12")))
    with pytest.raises(ServiceFailed, match="does not show the network of its Services"):
        fabric_of(Api().put(node("a", "10.44.1.0/24")))
