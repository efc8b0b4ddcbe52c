"""Packets between pods of one node pass the bridge, and not iptables."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault
from rehearsal.matrix.settings import setting

_CREATE, _UNDO = setting("net.bridge.bridge-nf-call-iptables", "0")

FAULT = Fault(
    name="br-netfilter-off",
    what="net.bridge.bridge-nf-call-iptables = 0 on a node",
    primary="DP-BRNF",
    create=_CREATE,
    undo=_UNDO,
)
