"""Nodes and the cluster that is made of them."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Declared(BaseModel):
    """The root of every model that is read from a site file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """What a node does."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    EDGE = "edge"  # haproxy: the way in, where there is no cloud load balancer
    DATA = "data"  # MariaDB, the registry and the object store


class Node(Declared):
    """A declared host: its name, the address SSH and the underlay use, its pinned host key."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    address: IPv4Address
    roles: tuple[Role, ...] = (Role.WORKER,)
    host_key: str = ""  # "ssh-ed25519 AAAA..."; empty: it must stand in ssh.known_hosts
    interface: str = "eth0"  # the underlay interface; flannel's --iface


class ProxyMode(StrEnum):
    """kube-proxy's modes. Those that are not in `STOOD_UP` are only ever recognised."""

    IPTABLES = "iptables"
    NFTABLES = "nftables"
    IPVS = "ipvs"
    USERSPACE = "userspace"
    UNKNOWN = "unknown"  # nobody says it


STOOD_UP = (ProxyMode.IPTABLES, ProxyMode.NFTABLES)


class KubeProxy(Declared):
    """kube-proxy as it shall run. `masquerade_all` is off by default: it hides client addresses and costs
    new-connection rate."""

    mode: ProxyMode = ProxyMode.IPTABLES
    masquerade_all: bool = False


class BgpPeer(Declared):
    """A router that learns the way to the pods by BGP: mostly the switch at the top of the rack."""

    address: IPv4Address
    as_number: int = Field(ge=1, le=4294967295)


class Network(Declared):
    """The pod network. `kind` is the name of a file in `tasks/networks/`."""

    kind: str = "flannel_vxlan"
    encrypted: bool = False  # what passes between nodes must be: a kind that does not do it is refused
    vni: int = Field(default=1, ge=1, le=16777215)  # flannel_vxlan
    port: int = Field(default=8472, ge=1, le=65535)  # flannel_vxlan
    direct_routing: bool = False  # flannel_vxlan
    # flannel_vxlan: the nodes have the VXLAN checksum bug, which check FL-CSUM found. Costs bulk throughput.
    vxlan_checksum_off: bool = False
    as_number: int = Field(default=64512, ge=1, le=4294967295)  # bgp: the nodes'
    bgp_peers: tuple[BgpPeer, ...] = ()  # bgp
    manifests: Path | None = None  # calico


class Fabric(Declared):
    """A cluster's networks: what the checks of its nodes judge by, whoever built it.

    Whether they fit each other is for the named rules of `inventory.site_limits`.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    subnet_len: int = Field(default=24, ge=20, le=28)
    network: Network = Network()
    kube_proxy: KubeProxy = KubeProxy()
    # HOST:PORT of the site's own virtual address or load balancer before the API servers; empty: the only
    # control plane itself, or with several of them haproxy on every node.
    api_endpoint: str = ""
    max_pods: int = Field(default=110, ge=1)


class Cluster(Fabric):
    """The cluster to build on the target's nodes."""

    version: str = Field(pattern=r"^1\.\d+\.\d+$")
    kubeconfig: Path  # written by `prepare`, 0600
    programs: Path  # the folder with kubeadm, kubelet, containerd, etcd, flanneld, ...

    @field_validator("kube_proxy")
    @classmethod
    def _can_be_stood_up(cls, proxy: KubeProxy) -> KubeProxy:
        if proxy.mode not in STOOD_UP:
            raise ValueError(f"mode {proxy.mode} is only recognised; choose {' or '.join(STOOD_UP)}")
        return proxy
