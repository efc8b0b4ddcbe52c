"""etcd on the control-plane nodes, with TLS for clients and peers; and the network's client certificate."""

from __future__ import annotations

import json
from collections.abc import Sequence

from inventory.models.cluster import Node
from tasks.operations.files import Wanted
from tasks.operations.preparation import BIN, ETCD_PORT, Preparation
from tasks.operations.programs import digests
from tasks.operations.units import Service

CONFIG = "/etc/etcd/etcd.json"
PKI = "/etc/etcd/pki"
DATA = "/var/lib/etcd"
PEER_PORT = 2380
CLIENT = (
    "/etc/safe-harbor/pki"  # etcd-ca.crt, etcd-client.crt, etcd-client.key: flannel's way in, on every node
)

_UNIT = """[Unit]
Description=etcd (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={bin}/etcd --config-file {config}
Restart=always
RestartSec=2
TimeoutStartSec=90
Nice=-5

[Install]
WantedBy=multi-user.target
"""


def service(preparation: Preparation, node: Node) -> Service:
    """etcd as it shall run on this control-plane node."""
    address = node.address
    config = {
        "name": node.name,
        "data-dir": DATA,
        "listen-client-urls": f"https://{address}:{ETCD_PORT},https://127.0.0.1:{ETCD_PORT}",
        "advertise-client-urls": f"https://{address}:{ETCD_PORT}",
        "listen-peer-urls": f"https://{address}:{PEER_PORT}",
        "initial-advertise-peer-urls": f"https://{address}:{PEER_PORT}",
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "initial-cluster": initial_cluster(preparation.planes),
        "initial-cluster-state": "new",
        "initial-cluster-token": preparation.site.target.cluster.name,
        "client-transport-security": _tls("server"),
        "peer-transport-security": _tls("peer"),
    }
    pki = preparation.pki
    files = [
        Wanted(CONFIG, json.dumps(config, indent=2).encode() + b"\n"),
        Wanted(f"{PKI}/ca.crt", pki["etcd-ca"].certificate),
    ]
    for kind in ("server", "peer"):
        pair = pki[f"etcd-{kind}-{node.name}"]
        files += [
            Wanted(f"{PKI}/{kind}.crt", pair.certificate),
            Wanted(f"{PKI}/{kind}.key", pair.key, 0o600),
        ]
    return Service(
        "etcd.service",
        _UNIT.format(bin=BIN, config=CONFIG),
        tuple(files),
        digests(preparation, "etcd"),
    )


def initial_cluster(planes: Sequence[Node]) -> str:
    """Every member with its peer URL, as etcd takes them."""
    return ",".join(f"{plane.name}=https://{plane.address}:{PEER_PORT}" for plane in planes)


def _tls(kind: str) -> dict[str, object]:
    return {
        "cert-file": f"{PKI}/{kind}.crt",
        "key-file": f"{PKI}/{kind}.key",
        "trusted-ca-file": f"{PKI}/ca.crt",
        "client-cert-auth": True,
    }


def client_files(preparation: Preparation) -> tuple[Wanted, ...]:
    """What a client of etcd needs on a node."""
    pair = preparation.pki["etcd-client"]
    return (
        Wanted(f"{CLIENT}/etcd-ca.crt", preparation.pki["etcd-ca"].certificate),
        Wanted(f"{CLIENT}/etcd-client.crt", pair.certificate),
        Wanted(f"{CLIENT}/etcd-client.key", pair.key, 0o600),
    )
