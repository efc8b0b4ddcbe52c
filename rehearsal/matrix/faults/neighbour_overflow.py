"""A neighbour table that holds fewer entries than the node has peers and pods."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault
from rehearsal.matrix.settings import setting

_KEYS = [f"net.ipv4.neigh.default.gc_thresh{number}" for number in (1, 2, 3)]
_CREATE, _UNDO = setting(_KEYS[0], "1", _KEYS[1], "2", _KEYS[2], "3")

FAULT = Fault(
    name="neighbour-overflow",
    what="net.ipv4.neigh.default.gc_thresh1..3 = 1, 2, 3 on a node",
    primary="DP-NEIGH",
    create=_CREATE,
    undo=_UNDO,
    needs="/proc/sys/net/ipv4/neigh/default/gc_thresh3",  # in the initial network namespace only
)
