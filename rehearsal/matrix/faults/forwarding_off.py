"""A node that routes nothing."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault
from rehearsal.matrix.settings import setting

_CREATE, _UNDO = setting("net.ipv4.ip_forward", "0")

FAULT = Fault(
    name="forwarding-off",
    what="net.ipv4.ip_forward = 0 on a node",
    primary="DP-FWD",
    create=_CREATE,
    undo=_UNDO,
)
