"""flannel: the network's configuration in etcd, and flanneld as a systemd unit on each node.

flanneld takes its subnet from etcd (v3 API) and tells systemd that it is ready when the subnet is there. The
backend cannot change while it runs, so a changed configuration changes the unit, which restarts it.
Source: flannel's Documentation/configuration.md and backends.md (v0.28).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from inventory.models.change import Change, Run
from inventory.models.cluster import Cluster, Node
from tasks.facts.asked import Asked
from tasks.facts.flannel import CONFIG_KEY, EtcdAccess, ask_config, ask_configured
from tasks.facts.gather import Facts
from tasks.operations import cni, units
from tasks.operations.flannel_backends import BACKENDS

HEALTH_PORT = 10401
UNIT = "flanneld.service"
PROGRAM = "/usr/local/bin/flanneld"
PKI = "/etc/safe-harbor/pki"

_UNIT = """# Written by safe-harbor; network configuration sha256 {digest}
[Unit]
Description=flannel, the pod network
Documentation=https://github.com/flannel-io/flannel
Wants=network-online.target
After=network-online.target etcd.service

[Service]
Type=notify
ExecStartPre=/bin/sh -c 'mkdir -p /run/flannel && touch {starting}'
ExecStart={program} --etcd-endpoints={endpoints} --etcd-prefix=/coreos.com/network \\
  --etcd-cafile={ca} --etcd-certfile={certificate} --etcd-keyfile={key} \\
  --iface={address} --public-ip={address} --ip-masq \\
  --healthz-ip=127.0.0.1 --healthz-port={health_port}
ExecStartPost=/bin/sh {render}
Restart=always
RestartSec=2
TimeoutStartSec=240

[Install]
WantedBy=multi-user.target
"""


def etcd_access(endpoints: str) -> EtcdAccess:
    """The client certificate that every node has, and these endpoints."""
    return EtcdAccess(endpoints, f"{PKI}/etcd-ca.crt", f"{PKI}/etcd-client.crt", f"{PKI}/etcd-client.key")


def network_config(cluster: Cluster) -> dict[str, Any]:
    """What stands in etcd under `/coreos.com/network/config`. Raises KeyError for what is not flannel's."""
    backend = BACKENDS[cluster.network.kind](cluster.network)
    return {"Network": str(cluster.pod_cidr), "SubnetLen": cluster.subnet_len, "Backend": backend.config}


def digest(cluster: Cluster) -> str:
    """The SHA-256 (hex) of the configuration, which the first line of flanneld's unit ends with."""
    return hashlib.sha256(_text(network_config(cluster))).hexdigest()


def plan_config(host: str, cluster: Cluster, etcd: EtcdAccess, facts: Facts) -> list[Change]:
    """The configuration in etcd, written from one control-plane node that was asked `ask_config(etcd)`."""
    found, desired = facts.of(ask_config(etcd)), network_config(cluster)
    if found == desired:
        return []
    undo = Run(etcd.command("del", CONFIG_KEY))
    if found is not None:
        undo = Run(etcd.command("put", CONFIG_KEY), stdin=_text(found))
    return [
        Change(
            host=host,
            subject=f"etcd {CONFIG_KEY}",
            why="flanneld on every node takes its network from here",
            before=_text(found).decode() if found is not None else "",
            after=_text(desired).decode(),
            apply=(Run(etcd.command("put", CONFIG_KEY), stdin=_text(desired)),),
            undo=(undo,),
        )
    ]


def service(node: Node, cluster: Cluster, etcd: EtcdAccess) -> units.Service:
    """flanneld on this node."""
    text = _UNIT.format(
        digest=digest(cluster),
        program=PROGRAM,
        endpoints=etcd.endpoints,
        ca=etcd.ca,
        certificate=etcd.certificate,
        key=etcd.key,
        # The address, not the link's name: a link may have several, and the first one is not always ours.
        address=node.address,
        health_port=HEALTH_PORT,
        render=cni.RENDER_SCRIPT,
        starting=cni.STARTING,
    )
    return units.Service(UNIT, text, cni.files(), follows_program=True)


def questions(node: Node, cluster: Cluster, etcd: EtcdAccess) -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    return (*units.asked(service(node, cluster, etcd)), ask_configured(f"{units.UNITS}/{UNIT}"))


def plan_node(node: Node, cluster: Cluster, etcd: EtcdAccess, facts: Facts) -> list[Change]:
    """flanneld's changes on this node."""
    return units.plan(node.name, facts, service(node, cluster, etcd), "gives the node its pod subnet")


def replaces(cluster: Cluster, facts: Facts) -> bool:
    """Whether flanneld was set up on the node with another configuration than the declared one."""
    return facts.of(ask_configured(f"{units.UNITS}/{UNIT}")) not in ("", digest(cluster))


def _text(config: Mapping[str, Any]) -> bytes:
    return json.dumps(config, separators=(",", ":")).encode()
