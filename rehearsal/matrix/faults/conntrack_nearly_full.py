"""A connection-tracking table that others have filled: flows to nowhere, kept for ten minutes."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, constant, on_node

_FROM = "198.51.100.0/24"  # TEST-NET-2 (RFC 5737): nobody's flows
_CREATE = """
awk -v n=$(($(cat /proc/sys/net/netfilter/nf_conntrack_max) * 3 / 4)) 'BEGIN {
  for (i = 0; i < n; i++) {
    printf "-A -p udp -s 198.51.100.%d -d 203.0.113.1 ", 1 + i / 60000
    printf "--sport %d --dport 9 -t 600\\n", 1024 + i % 60000
  }
}' | conntrack -R - > /dev/null
"""
# conntrack ends with 1 where nothing was there to delete.
_UNDO = 'conntrack -D -s "$1" > /dev/null 2>&1 || [ $? -eq 1 ]'

FAULT = Fault(
    name="conntrack-nearly-full",
    what="three quarters of nf_conntrack_max are taken on a node",
    primary="CT-HEADROOM",
    create=on_node(_CREATE),
    undo=on_node(_UNDO, constant(_FROM)),
)
