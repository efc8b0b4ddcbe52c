"""Another program's rule stands before flannel's own: what kube-proxy has marked is decided on too early.

A rule that is missing flanneld puts back within five seconds; in which order they stand it does not look.
"""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node

# TEST-NET-2 (RFC 5737): the rule meets no packet, the order is what is wrong.
_RULE = (
    'iptables -w -t nat "$1" FLANNEL-POSTRTG -d 198.51.100.0/24 -m comment --comment sh-fault -j MASQUERADE'
)

FAULT = Fault(
    name="masquerade-shadowed",
    what="a rule of another program stands first in FLANNEL-POSTRTG",
    primary="FL-MASQ",
    create=on_node(_RULE, constant("-I")),
    undo=on_node(f"while {_RULE} 2> /dev/null; do :; done", constant("-D")),
)
