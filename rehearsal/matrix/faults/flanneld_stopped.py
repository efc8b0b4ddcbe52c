"""The daemon is gone, and what it wrote still works: nobody notices until a node is added."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

FAULT = Fault(
    name="flanneld-stopped",
    what="flanneld stopped on a node",
    primary="FL-READY",
    create=on_node("systemctl stop flanneld"),
    undo=on_node("systemctl start flanneld"),
)
