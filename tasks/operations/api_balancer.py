"""A local way to all API servers on every node, so that the loss of one control plane stops nobody.

haproxy listens on the node's loopback and passes TCP on; whether an API server is fit to serve it asks the
server itself, by TLS that is verified against the cluster's authority.
"""

from __future__ import annotations

from tasks.operations.files import Wanted
from tasks.operations.preparation import API_PORT, BALANCER_PORT, Preparation
from tasks.operations.units import Service

UNIT = "safe-harbor-api.service"
FOLDER = "/etc/safe-harbor/api"
CONFIG = f"{FOLDER}/haproxy.cfg"
AUTHORITY = f"{FOLDER}/ca.crt"
PACKAGE = "haproxy"

# The clients are the few programs of the node: these connections need no more files than any service has.
# A watch may be silent for long: ten minutes are more than the API server's own minute of bookmarks.
_CONFIG = """# written by safe-harbor: the way to the API servers
global
    maxconn 400

defaults
    mode tcp
    timeout connect 2s
    timeout client 10m
    timeout server 10m
    timeout check 2s
    option clitcpka
    option srvtcpka

frontend api
    bind 127.0.0.1:{port}
    default_backend planes

backend planes
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check check-ssl verify required ca-file {authority}
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""

_UNIT = f"""[Unit]
Description=haproxy: the way to the API servers (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStartPre=/usr/sbin/haproxy -f {CONFIG} -c -q
ExecStart=/usr/sbin/haproxy -Ws -f {CONFIG}
KillMode=mixed
Restart=always
RestartSec=1
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
"""


def service(preparation: Preparation) -> Service:
    """The unit and its files; the same on every node."""
    servers = "\n".join(f"    server {plane.name} {plane.address}:{API_PORT}" for plane in preparation.planes)
    config = _CONFIG.format(port=BALANCER_PORT, authority=AUTHORITY, servers=servers)
    return Service(
        UNIT,
        _UNIT,
        (
            Wanted(CONFIG, config.encode()),
            Wanted(AUTHORITY, preparation.pki["ca"].certificate),
        ),
    )
