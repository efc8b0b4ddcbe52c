"""A stock cluster of somebody else's: kubeadm's objects and kube-flannel.yml's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "data" / "cluster" / "kubeadm-flannel.json"


def objects(
    *, backend: dict[str, Any] | None = None, mode: str = "", masquerade_all: bool = False
) -> list[dict[str, Any]]:
    """All of them, with other words in flannel's `Backend` and kube-proxy's configuration."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text())
    flannel = named(found, "ConfigMap", "kube-flannel-cfg")["data"]
    network = json.loads(flannel["net-conf.json"])
    network["Backend"] |= backend or {}
    flannel["net-conf.json"] = json.dumps(network)
    proxy = named(found, "ConfigMap", "kube-proxy")["data"]
    document = yaml.safe_load(proxy["config.conf"])
    document["mode"] = mode
    for own in ("iptables", "nftables"):
        document[own]["masqueradeAll"] = masquerade_all
    proxy["config.conf"] = yaml.safe_dump(document)
    return found


def named(found: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """One of them."""
    (item,) = [each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return item
