"""haproxy on an edge node: its three files and its unit. The content of the files is `haproxy_config`'s.

The access log is a file of its own, which logrotate turns over; haproxy writes it through its standard
output, so no syslog is needed on the node.
"""

from __future__ import annotations

from tasks.operations.files import Wanted
from tasks.operations.haproxy_config import (
    LUA_NAME,
    MAP_NAME,
    EdgeDesign,
    EdgeFiles,
    Server,
    render_edge,
)
from tasks.operations.units import Service

__all__ = ["LUA_NAME", "MAP_NAME", "EdgeDesign", "EdgeFiles", "Server", "render_edge", "service"]

UNIT = "haproxy.service"
CONFIG = "/etc/haproxy/safe-harbor.cfg"
FOLDER = "/etc/haproxy/safe-harbor"
LOG = "/var/log/safe-harbor-edge.log"
RUNTIME = "/run/haproxy/admin.sock"
ACCOUNT = "haproxy"
EDGE_PORT = 80

_UNIT = f"""[Unit]
Description=haproxy: the way in (safe-harbor)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
RuntimeDirectory=haproxy
ExecStartPre=/usr/sbin/haproxy -f {CONFIG} -c -q
ExecStart=/usr/sbin/haproxy -Ws -f {CONFIG} -p /run/haproxy.pid
ExecReload=/usr/sbin/haproxy -f {CONFIG} -c -q
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
RestartSec=1
SuccessExitStatus=143
StandardOutput=append:{LOG}
LimitNOFILE=20000

[Install]
WantedBy=multi-user.target
"""

_ROTATE = f"""{LOG} {{
    daily
    maxsize 500M
    rotate 7
    missingok
    notifempty
    compress
    copytruncate
}}
"""


def service(design: EdgeDesign) -> Service:
    """The unit and its files. Raises ValueError where the design's folder or socket is not this unit's."""
    if (design.folder, design.runtime) != (FOLDER, RUNTIME):
        raise ValueError(f"an edge on a node has its files in {FOLDER} and its socket at {RUNTIME}")
    files = render_edge(design)
    return Service(
        UNIT,
        _UNIT,
        (
            Wanted(CONFIG, files.config.encode()),
            Wanted(f"{FOLDER}/{LUA_NAME}", files.lua.encode()),
            Wanted(f"{FOLDER}/{MAP_NAME}", files.shift_map.encode()),
            Wanted("/etc/logrotate.d/safe-harbor-edge", _ROTATE.encode()),
        ),
    )
