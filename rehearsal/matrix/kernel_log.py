"""The struck node's kernel log: it keeps what a fault made the kernel say, so the undo clears it.

Only on a node that has a log of its own: a container's would be that of the machine around it.
"""

from __future__ import annotations

OWN_KERNEL = "/proc/sys/net/ipv4/neigh/default/gc_thresh3"  # in the initial network namespace only
WILL_SAY = "mkdir -p /run/sh-fault && touch /run/sh-fault/log"
FORGET = "[ ! -e /run/sh-fault/log ] || { dmesg --clear && rm /run/sh-fault/log; }"
