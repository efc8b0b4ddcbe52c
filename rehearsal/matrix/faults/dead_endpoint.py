"""An endpoint that is said to be ready, and that nothing listens behind."""

from __future__ import annotations

from typing import Any

from rehearsal.matrix.fault import Fault, Where
from tasks.drivers.errors import ServiceFailed
from tasks.facts.flannel import parse_subnet, subnet_command
from tasks.facts.probe import NAMESPACE

_NAME = "dead"


def _manifests(address: str) -> tuple[dict[str, Any], ...]:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _NAME, "namespace": NAMESPACE},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": _NAME,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": _NAME},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    return service, endpoints


def _create(where: Where) -> None:
    env = parse_subnet(where.host.check(subnet_command()))
    if env is None:
        raise ServiceFailed(where.node.name, "flanneld has no subnet")
    for manifest in _manifests(
        str(env.subnet.network.broadcast_address - 1)
    ):  # addresses are given from below
        where.context.kube.apply(manifest)


def _undo(where: Where) -> None:
    for manifest in _manifests(""):
        where.context.kube.delete(manifest["apiVersion"], manifest["kind"], _NAME, namespace=NAMESPACE)


FAULT = Fault(
    name="dead-endpoint",
    what="a Service with a ready endpoint that no pod has",
    primary="KP-DIAL",
    create=_create,
    undo=_undo,
)
