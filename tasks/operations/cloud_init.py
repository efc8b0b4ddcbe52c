"""What a new machine is told at its first boot: cloud-init's NoCloud seed, as an ISO 9660 image.

The machine gets its host key from here, so that it is pinned before the first login. JSON is YAML, and quotes
by itself. Formats: cloud-init 22.4 (Debian 12), NoCloud and network-config version 2.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from inventory.models.cluster import Node
from inventory.models.machines import KvmNetwork
from inventory.models.secret import Secret
from tasks.operations.iso9660 import image

LABEL = "cidata"  # what NoCloud looks for


@dataclass(frozen=True)
class Identity:
    """Who may log in, and what the machine shows: OpenSSH's texts. `host_key` is the private one."""

    user: str
    authorized_keys: tuple[str, ...]
    host_key: Secret
    host_key_public: str


def seed(site: str, node: Node, prefix: int, network: KvmNetwork, mac: str, who: Identity) -> bytes:
    """The image to attach; the same bytes for the same input. `prefix` is the underlay's."""
    user = f"#cloud-config\n{_json(user_data(node, who))}"
    settings = _json(network_config(node, prefix, network, mac))
    # Another instance id makes cloud-init begin anew: only a new machine is a new instance.
    digest = hashlib.sha256(f"{site}\n{node.name}\n{who.host_key_public}".encode()).hexdigest()
    meta = _json({"instance-id": f"{site}-{node.name}-{digest[:12]}", "local-hostname": node.name})
    files = {"meta-data": meta, "network-config": settings, "user-data": user}
    return image(LABEL, {name: text.encode() for name, text in files.items()})


def user_data(node: Node, who: Identity) -> dict[str, Any]:
    """The cloud-config: one key opens one account, and no password any."""
    account: dict[str, Any] = {"name": who.user, "ssh_authorized_keys": list(who.authorized_keys)}
    if who.user != "root":
        account |= {"shell": "/bin/bash", "lock_passwd": True, "sudo": "ALL=(ALL) NOPASSWD:ALL"}
    return {
        "hostname": node.name,
        "manage_etc_hosts": True,
        "disable_root": who.user != "root",
        "ssh_pwauth": False,
        "users": [account],
        "ssh_deletekeys": True,
        "ssh_keys": {
            "ed25519_private": who.host_key.reveal(),
            "ed25519_public": who.host_key_public,
        },
    }


def network_config(node: Node, prefix: int, network: KvmNetwork, mac: str) -> dict[str, Any]:
    """The underlay's card, known by its address and named as the site file says."""
    card: dict[str, Any] = {
        "match": {"macaddress": mac},
        "set-name": node.interface,
        "addresses": [f"{node.address}/{prefix}"],
    }
    if network.gateway is not None:
        # Not gateway4, which newer releases call out of date: cloud-init's status would then be an error.
        card["routes"] = [{"to": "0.0.0.0/0", "via": str(network.gateway)}]
    if network.nameservers:
        card["nameservers"] = {"addresses": [str(each) for each in network.nameservers]}
    return {"version": 2, "ethernets": {"underlay": card}}


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
