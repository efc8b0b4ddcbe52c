"""A neighbour table that holds fewer entries than the node has peers and pods."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault
from rehearsal.matrix.settings import setting

_CREATE, _UNDO = setting(
    "net.ipv4.neigh.default.gc_thresh1",
    "1",
    "net.ipv4.neigh.default.gc_thresh2",
    "2",
    "net.ipv4.neigh.default.gc_thresh3",
    "3",
)

FAULT = Fault(
    name="neighbour-overflow",
    what="net.ipv4.neigh.default.gc_thresh1..3 = 1, 2, 3 on a node",
    primary="DP-NEIGH",
    create=_CREATE,
    undo=_UNDO,
    own_kernel=True,
)
