"""Points a Service without selector at an address, and sees that every node's proxy has taken it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from inventory.models.command import Command
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Clock, Host, Kube

SLICES = "discovery.k8s.io/v1"
PORT_NAME = "mysql"


@dataclass(frozen=True)
class Address:
    """Where a database is reached from a cluster."""

    host: str
    port: int

    def __post_init__(self) -> None:
        IPv4Address(self.host)  # an EndpointSlice takes addresses only; ValueError says which text is none

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def of(cls, text: str) -> Address:
        """Of `HOST:PORT`. Raises ValueError."""
        host, _, port = text.rpartition(":")
        return cls(host, int(port))


@dataclass(frozen=True)
class Pointer:
    """A Service of one cluster that shall lead to the primary database.

    `hosts` are the cluster's nodes that we may ask for their proxy's rules; where there are none, `settle_s`
    is waited instead. `old` and `new` are the two primaries' addresses as this cluster reaches them.
    """

    kube: Kube
    namespace: str
    service: str
    old: Address
    new: Address
    hosts: Mapping[str, Host] = field(default_factory=dict)
    settle_s: float = 1.5

    def reversed(self) -> Pointer:
        """The same, back."""
        return Pointer(self.kube, self.namespace, self.service, self.new, self.old, self.hosts, self.settle_s)


def slice_manifest(namespace: str, service: str, address: Address, name: str = "") -> dict[str, Any]:
    """The EndpointSlice of this Service with this one address."""
    return {
        "apiVersion": SLICES,
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or service,
            "namespace": namespace,
            "labels": {
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "safe-harbor",
            },
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address.host], "conditions": {"ready": True}}],
        "ports": [{"name": PORT_NAME, "port": address.port, "protocol": "TCP"}],
    }


def slices(kube: Kube, namespace: str, service: str) -> list[dict[str, Any]]:
    """The Service's EndpointSlices."""
    return kube.list(
        SLICES, "EndpointSlice", namespace=namespace, selector=f"kubernetes.io/service-name={service}"
    )


def addresses(found: list[dict[str, Any]]) -> set[str]:
    """Every `HOST:PORT` that these slices lead to."""
    return {
        f"{host}:{port['port']}"
        for one in found
        for endpoint in one.get("endpoints") or []
        for host in endpoint.get("addresses") or []
        for port in one.get("ports") or []
    }


def leads(pointer: Pointer) -> bool:
    """Whether the Service leads to the new primary and nowhere else."""
    found = slices(pointer.kube, pointer.namespace, pointer.service)
    return addresses(found) == {str(pointer.new)}


def port_name(kube: Kube, namespace: str, service: str) -> str:
    """The name of the Service's port: an EndpointSlice's port must have the same, or no proxy joins them."""
    found = kube.get("v1", "Service", service, namespace=namespace)
    if found is None:
        raise ServiceFailed(kube.name, f"has no service {namespace}/{service}")
    return str(found["spec"]["ports"][0].get("name") or "")


def point(kube: Kube, namespace: str, service: str, address: Address) -> bool:
    """Make the Service lead to this address and nowhere else; whether anything had to change."""
    found = slices(kube, namespace, service)
    if addresses(found) == {str(address)}:
        return False
    first = str(found[0]["metadata"]["name"]) if found else service
    manifest = slice_manifest(namespace, service, address, first)
    name = port_name(kube, namespace, service)
    manifest["ports"][0]["name"] = name
    for other in found[1:]:
        kube.delete(SLICES, "EndpointSlice", str(other["metadata"]["name"]), namespace=namespace)
    kube.apply(manifest)
    return True


def wait_until_proxied(pointer: Pointer, address: Address, clock: Clock, within_s: float = 8.0) -> float:
    """Wait until each node's rules lead this Service to `address` alone; the seconds it took.

    Raises ServiceFailed, naming the nodes that did not. kube-proxy writes rules at most once a second.
    """
    begun = clock.now()
    deadline = begun.timestamp() + within_s
    if not pointer.hosts:
        clock.sleep(pointer.settle_s)
    waiting = dict(pointer.hosts)
    comment = f"{pointer.namespace}/{pointer.service}"
    while waiting:
        for name, host in list(waiting.items()):
            rules = host.check(Command.of("iptables-save", "-t", "nat"), timeout_s=10)
            if leads_to(rules, comment) == {str(address)}:
                del waiting[name]
        if waiting and clock.now().timestamp() > deadline:
            raise ServiceFailed(
                pointer.kube.name,
                f"{', '.join(sorted(waiting))} still does not lead {comment} to {address}",
                "is kube-proxy up there? `iptables-save -t nat` shows its rules",
            )
        if waiting:
            clock.sleep(0.05)
    return (clock.now() - begun).total_seconds()


def leads_to(rules: str, service: str) -> set[str]:
    """Where kube-proxy's iptables rules (`iptables-save -t nat`) lead this `NAMESPACE/NAME`."""
    found = set()
    for line in rules.splitlines():
        if "--to-destination" not in line or "KUBE-SEP-" not in line:
            continue
        words = line.split()
        comment = words[words.index("--comment") + 1].strip('"') if "--comment" in words else ""
        if comment == service or comment.startswith(f"{service}:"):
            found.add(words[words.index("--to-destination") + 1])
    return found
