"""The underlay carries less than flannel believes."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node

_CREATE = """
mkdir -p /run/sh-fault && cp "/sys/class/net/$1/mtu" /run/sh-fault/mtu && ip link set dev "$1" mtu "$2"
"""
_UNDO = """
[ ! -e /run/sh-fault/mtu ] || { ip link set dev "$1" mtu "$(cat /run/sh-fault/mtu)" && rm /run/sh-fault/mtu; }
"""

FAULT = Fault(
    name="wrong-mtu",
    what="MTU 1400 on a node's underlay, where the others have 1500",
    primary="FL-MTU",
    create=on_node(_CREATE, lambda where: where.node.interface, constant(1400)),
    undo=on_node(_UNDO, lambda where: where.node.interface),
)
