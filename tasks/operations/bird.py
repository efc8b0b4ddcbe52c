"""BIRD 2 on a node: announces the node's pod subnet to the routers, and takes the other nodes' from them.

The nodes have one AS number and hear of each other through a router of another, so each takes routes with its
own number in the path. A router on the nodes' layer 2 passes on their addresses as next hops (RFC 4271,
5.1.3): packets then go from node to node at once. A restart is a graceful one (RFC 4724): neither the node
nor its neighbours take a route away meanwhile. Source: BIRD's user's guide (2.0).
"""

from __future__ import annotations

from typing import Any

from inventory.models.change import Change
from inventory.models.cluster import Cluster, Node
from tasks.facts.asked import Asked
from tasks.facts.flannel import SUBNET_FILE
from tasks.facts.gather import Facts
from tasks.operations import units
from tasks.operations.files import Wanted

PACKAGE = "bird2"
UNIT = "bird.service"
CONFIG = "/etc/safe-harbor/bird.conf"
OWN_SCRIPT = "/etc/safe-harbor/bird-own.sh"
_OWN = "/run/bird/own.conf"

_CONFIG = """# Written by safe-harbor
log stderr all;
router id {address};
graceful restart wait 30;  # seconds, for routers that do not say when they have told all

protocol device {{ }}

# What flanneld has got for this node; told, but never put into the kernel, where the bridge has it.
include "{own}";

protocol kernel {{
  persist;
  graceful restart on;
  merge paths on;
  ipv4 {{ import none; export where source = RTS_BGP; }};
}}
"""

_PEER = """
protocol bgp router{number} {{
  local {address} as {as_number};
  neighbor {peer} as {peer_as_number};
  allow local as 1;
  graceful restart on;
  ipv4 {{
    import where net ~ [ {pods}{{{length},{length}}} ];
    export where source = RTS_STATIC && net ~ [ {pods}{{{length},{length}}} ];
  }};
}}
"""

# flanneld names the gateway, the first address of the subnet.
_OWN_SCRIPT = f"""# Written by safe-harbor: what BIRD announces, from the subnet that flanneld has got.
set -eu
. {SUBNET_FILE}
address=${{FLANNEL_SUBNET%/*}}
network="${{address%.*}}.$((${{address##*.}} - 1))/${{FLANNEL_SUBNET#*/}}"
echo "protocol static own {{ ipv4; route $network blackhole; }}" > {_OWN}
"""

# In the place of the package's own unit, so that no second BIRD starts beside it.
_UNIT = f"""# Written by safe-harbor
[Unit]
Description=BIRD, tells the routers where this node's pods are
Documentation=man:bird(8)
Wants=network-online.target
After=network-online.target flanneld.service
# A new start of flanneld can bring another subnet.
PartOf=flanneld.service

[Service]
RuntimeDirectory=bird
ExecStartPre=/bin/sh {OWN_SCRIPT}
ExecStartPre=/usr/sbin/bird -p -c {CONFIG}
ExecStart=/usr/sbin/bird -f -R -u bird -g bird -c {CONFIG}
ExecStop=/usr/sbin/birdc graceful restart
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


def config(node: Node, cluster: Cluster, own: str = _OWN) -> str:
    """The node's whole configuration; `own` is the file that names the node's subnet."""
    peers = (
        _PEER.format(
            number=number,
            address=node.address,
            as_number=cluster.network.as_number,
            peer=peer.address,
            peer_as_number=peer.as_number,
            pods=cluster.pod_cidr,
            length=cluster.subnet_len,
        )
        for number, peer in enumerate(cluster.network.bgp_peers, 1)
    )
    return _CONFIG.format(address=node.address, own=own) + "".join(peers)


def service(node: Node, cluster: Cluster) -> units.Service:
    """BIRD on this node."""
    text = Wanted(CONFIG, config(node, cluster).encode())
    return units.Service(UNIT, _UNIT, (text, Wanted(OWN_SCRIPT, _OWN_SCRIPT.encode())))


def questions(node: Node, cluster: Cluster) -> tuple[Asked[Any], ...]:
    """What must be known of the node."""
    return units.asked(service(node, cluster))


def plan_node(node: Node, cluster: Cluster, facts: Facts) -> list[Change]:
    """BIRD's changes on this node."""
    return units.plan(node.name, facts, service(node, cluster), "tells the routers where the pods are")
