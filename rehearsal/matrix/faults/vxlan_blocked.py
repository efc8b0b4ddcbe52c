"""A firewall that lets the overlay's packets through in one direction only."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node

_RULE = 'iptables -w "$3" INPUT -p udp --dport "$1" -s "$2" -j DROP'
_WORDS = (lambda where: where.context.site.target.cluster.network.port, lambda where: str(where.peer.address))

FAULT = Fault(
    name="vxlan-blocked-one-way",
    what="a node drops the overlay's UDP packets of one peer; its own arrive there",
    primary="PATH-PODS",
    create=on_node(_RULE, *_WORDS, constant("-I")),
    undo=on_node(f"while {_RULE} 2> /dev/null; do :; done", *_WORDS, constant("-D")),
)
