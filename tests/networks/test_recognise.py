"""The networks of a cluster that somebody else built, as its API shows them."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml

from inventory.models.cluster import Fabric
from tasks.drivers.errors import ServiceFailed
from tasks.networks.recognise import daemons_of, fabric_of
from tests.networks import stock
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


@pytest.mark.parametrize(
    ("backend", "vni", "port", "direct"),
    [
        ({}, 1, 8472, False),
        ({"DirectRouting": True}, 1, 8472, True),
        ({"Port": 4789}, 1, 4789, False),
        ({"Port": 0, "DirectRouting": False}, 1, 8472, False),
    ],
)
def test_what_flannel_is_told_is_read_in_its_config_map(
    backend: dict[str, Any], vni: int, port: int, direct: bool
) -> None:
    found = fabric_of(MemoryKube().put(*stock.objects(backend=backend))).network
    assert (found.kind, found.vni, found.port, found.direct_routing) == ("flannel_vxlan", vni, port, direct)


def test_flannels_network_is_taken_where_kubeadm_says_nothing() -> None:
    objects = [each for each in stock.objects() if each["metadata"]["name"] != "kubeadm-config"]
    found = fabric_of(Api().put(*objects, service_cidr("10.96.0.0/12")))
    assert found.pod_cidr == IPv4Network("10.244.0.0/16"), "the nodes' own subnets are only a part of it"


def test_a_configuration_that_is_no_json_is_named() -> None:
    objects = stock.objects()
    stock.named(objects, "ConfigMap", "kube-flannel-cfg")["data"]["net-conf.json"] = "{Network:"
    with pytest.raises(ServiceFailed, match=r"net-conf\.json of ConfigMap kube-flannel-cfg is no JSON"):
        fabric_of(MemoryKube().put(*objects))


FLAGS = ["/usr/local/bin/kube-proxy", "--proxy-mode=nftables", "--masquerade-all"]


@pytest.mark.parametrize(
    ("mode", "read"), [("", "iptables"), ("nftables", "nftables"), ("ipvs", "ipvs"), ("winkernel", "unknown")]
)
def test_kube_proxys_mode_is_read_in_its_config_map(mode: str, read: str) -> None:
    kube = MemoryKube().put(*stock.objects(mode=mode, masquerade_all=mode == "nftables"))
    found = fabric_of(kube).kube_proxy
    assert (found.mode, found.masquerade_all) == (read, mode == "nftables")


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (FLAGS, ("nftables", True)),
        ([FLAGS[0], "--proxy-mode", "ipvs"], ("ipvs", False)),
        ([FLAGS[0]], ("iptables", False)),
        ([FLAGS[0], "--config=/elsewhere"], ("unknown", False)),
        (["/bin/other"], ("unknown", False)),
    ],
)
def test_kube_proxys_flags_are_read_where_there_is_no_config_map(
    words: list[str], read: tuple[str, bool]
) -> None:
    objects = [each for each in stock.objects() if each["metadata"]["name"] != "kube-proxy"]
    daemon_set = stock.named(
        [each for each in stock.objects() if each["kind"] == "DaemonSet"], "DaemonSet", "kube-proxy"
    )
    daemon_set["spec"]["template"]["spec"]["containers"][0]["command"] = words
    found = fabric_of(MemoryKube().put(*objects, daemon_set)).kube_proxy
    assert (found.mode, found.masquerade_all) == read


def test_what_a_file_declares_wins_over_what_is_read() -> None:
    declared = Fabric.model_validate(
        {
            "name": "shop",
            "pod_cidr": "10.44.0.0/16",
            "service_cidr": "10.45.0.0/16",
            "network": {"port": 4789},
        }
    )
    found = fabric_of(
        MemoryKube().put(*stock.objects(backend={"DirectRouting": True}, mode="ipvs")), declared
    )
    assert (found.name, found.pod_cidr, found.network.port) == (
        "shop", IPv4Network("10.44.0.0/16"), 4789
    )  # fmt: skip
    assert found.network.direct_routing, "what the file does not say is read all the same"
    assert found.kube_proxy.mode == "ipvs"


def test_the_daemons_are_found_with_the_words_that_mend_them() -> None:
    found = daemons_of(MemoryKube().put(*stock.objects(), daemon_set("node-exporter")))
    assert set(found) == {"flanneld", "kube-proxy"}
    assert found["flanneld"].restart("kube-1") == (
        "kubectl -n kube-flannel delete pod -l app=flannel --field-selector spec.nodeName=kube-1"
    )
    assert found["kube-proxy"].log("kube-1").startswith("kubectl -n kube-system logs --tail=50 $(kubectl")
