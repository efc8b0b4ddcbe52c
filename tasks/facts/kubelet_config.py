"""What a node's kubelet runs with, asked of the kubelet itself through the API server.

The files say what it will run with after a restart; only `/configz` says what it runs with now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked

_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout=15s")


@dataclass(frozen=True)
class KubeletConfig:
    """`kube_reserved` and `system_reserved` are quantities by resource (`memory` -> `1Gi`)."""

    cgroup_driver: str
    kube_reserved: Mapping[str, str]
    system_reserved: Mapping[str, str]


def command(node: str) -> Shellable:
    """Ask on a control-plane node for the configuration of the node's kubelet."""
    return Command.of(*_KUBECTL, "get", "--raw", f"/api/v1/nodes/{node}/proxy/configz")


def parse(output: str) -> KubeletConfig:
    """Raises ValueError or KeyError where it is no kubelet's answer."""
    said = json.loads(output)["kubeletconfig"]
    return KubeletConfig(
        str(said["cgroupDriver"]),
        dict(said.get("kubeReserved") or {}),
        dict(said.get("systemReserved") or {}),
    )


def ask(node: str) -> Asked[KubeletConfig]:
    """The question."""
    return Asked(f"kubelet of {node}", command(node), parse)
