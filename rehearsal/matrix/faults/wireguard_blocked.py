"""A firewall that lets WireGuard's packets through in one direction only."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node
from tasks.operations.flannel_backends import WIREGUARD_LINK, WIREGUARD_PORT

_RULE = 'iptables -w "$3" INPUT -p udp --dport "$1" -s "$2" -m comment --comment sh-fault -j DROP'
_WORDS = (constant(WIREGUARD_PORT), lambda where: str(where.peer.address))

FAULT = Fault(
    name="wireguard-blocked-one-way",
    what="a node drops WireGuard's packets of one peer; its own arrive there",
    primary="PATH-PODS",
    create=on_node(_RULE, *_WORDS, constant("-I")),
    undo=on_node(f"while {_RULE} 2> /dev/null; do :; done", *_WORDS, constant("-D")),
    needs=f"/sys/class/net/{WIREGUARD_LINK}/tx_queue_len",  # where the network is WireGuard's
)
