"""Too few ports to masquerade to, so that lookups asked at once collide in connection tracking."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node
from rehearsal.matrix.narrow_nat import MASQUERADE, REMOVE
from tasks.checks.dataplane.service_paths import cluster_address
from tasks.facts.probe import PEER_SERVICE

_VIP = lambda where: cluster_address(where.context, PEER_SERVICE)  # noqa: E731 - a word of both programs

FAULT = Fault(
    name="dns-race",
    what="lookups of a node's pods are masqueraded to four ports: insert_failed, and answers that never come",
    primary="CT-DNS",
    create=on_node(MASQUERADE, constant("udp"), _VIP, constant("40000-40003")),
    undo=on_node(REMOVE),
)
