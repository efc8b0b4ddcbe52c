"""The underlay's own neighbours of the struck node, made permanent: the site must still be reached.

Permanent entries do not count against gc_thresh3, so a neighbour table that is full does not take these. The
loopback has an entry as well (0.0.0.0): without it no connection to 127.0.0.1 is made, and kubelet runs no
program in a pod (met on Linux 6.1).
"""

from __future__ import annotations

from rehearsal.matrix.fault import Act, Where, on_node

_PIN = """
mkdir -p /run/sh-fault && touch /run/sh-fault/pinned || exit 1
ip -4 neigh show dev "$1" | while read -r address _ mac _; do
  case $mac in *:*) ip neigh replace "$address" lladdr "$mac" dev "$1" nud permanent ;; esac
done
ip neigh replace 0.0.0.0 lladdr 00:00:00:00:00:00 dev lo nud permanent
"""
_UNPIN = """
[ -e /run/sh-fault/pinned ] || exit 0
ip -4 neigh show dev "$1" nud permanent | while read -r address _ mac _; do
  ip neigh replace "$address" lladdr "$mac" dev "$1" nud stale
done
ip neigh delete 0.0.0.0 dev lo
rm /run/sh-fault/pinned
"""


def _interface(where: Where) -> str:
    return where.node.interface


PIN_UNDERLAY: Act = on_node(_PIN, _interface)
UNPIN_UNDERLAY: Act = on_node(_UNPIN, _interface)
