"""A firewall between nodes that lets the cluster's own ports through, and nothing else of one peer."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node
from tasks.facts.probe import PORT

# $1 the peer, $2 the port at which the node's own probe listens, $3 -I or -D. Pods are not met: what is
# theirs is forwarded.
_RULE = 'iptables -w "$3" INPUT -p {protocol} --dport "$2" -s "$1" -m comment --comment sh-fault -j DROP'
_TCP, _UDP = (_RULE.format(protocol=protocol) for protocol in ("tcp", "udp"))
_WORDS = (lambda where: str(where.peer.address), constant(PORT))

FAULT = Fault(
    name="nodes-blocked",
    what="a node drops what one peer sends to it beside the cluster's own ports",
    primary="PATH-NODES",
    create=on_node(f"{_TCP} && {_UDP}", *_WORDS, constant("-I")),
    undo=on_node(
        f"while {_TCP} 2> /dev/null; do :; done; while {_UDP} 2> /dev/null; do :; done",
        *_WORDS,
        constant("-D"),
    ),
)
