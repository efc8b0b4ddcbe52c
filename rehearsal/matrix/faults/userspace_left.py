"""What a kube-proxy in userspace mode leaves behind when nobody cleans up."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

FAULT = Fault(
    name="userspace-left",
    what="a chain of userspace mode in nat",
    primary="KP-MODE",
    create=on_node("iptables -w -t nat -N KUBE-PORTALS-CONTAINER"),
    undo=on_node(
        "! iptables-save -t nat | grep -q KUBE-PORTALS- || iptables -w -t nat -X KUBE-PORTALS-CONTAINER"
    ),
)
