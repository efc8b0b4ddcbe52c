"""kube-proxy is gone, and its rules still work: from now on no change of an endpoint reaches the node."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

FAULT = Fault(
    name="kube-proxy-stopped",
    what="kube-proxy stopped on a node",
    primary="KP-HEALTH",
    create=on_node("systemctl stop kube-proxy"),
    undo=on_node("systemctl start kube-proxy"),
)
