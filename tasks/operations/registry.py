"""The image registry on a data node: Debian's docker-registry, with TLS."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tasks.operations.files import Wanted
from tasks.operations.units import Service

UNIT = "docker-registry.service"
CONFIG = "/etc/docker/registry/safe-harbor.json"
FOLDER = "/etc/docker/registry/tls"
DATA = "/var/lib/docker-registry"

_UNIT = f"""[Unit]
Description=Image registry (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
User=docker-registry
Group=docker-registry
StateDirectory=docker-registry
LoadCredential=server.key:{FOLDER}/server.key
Environment=REGISTRY_HTTP_TLS_KEY=%d/server.key OTEL_TRACES_EXPORTER=none
ExecStart=/usr/bin/docker-registry serve {CONFIG}
Restart=always
RestartSec=2
ProtectHome=yes
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class RegistryDesign:
    """A registry. `address` is `host:port`, where it listens."""

    address: str
    certificate: bytes
    key: bytes = field(repr=False)


def service(design: RegistryDesign) -> Service:
    """The unit and its files. JSON is YAML, which the registry reads."""
    config = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": DATA},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
        },
        "http": {"addr": design.address, "tls": {"certificate": f"{FOLDER}/server.crt"}},
    }
    return Service(
        UNIT,
        _UNIT,
        (
            Wanted(CONFIG, json.dumps(config, indent=2).encode() + b"\n"),
            Wanted(f"{FOLDER}/server.crt", design.certificate),
            Wanted(f"{FOLDER}/server.key", design.key, 0o600),
        ),
    )
