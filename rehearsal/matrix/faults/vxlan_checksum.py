"""A network card that computes the outer checksum of large VXLAN packets wrongly."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

# Offload off, so that the checksum is really on the wire; then another one for TCP (protocol 6 of the inner
# header) in packets over 1000 bytes. $1 the link, $2 the overlay's port.
_CREATE = """
ethtool -K "$1" tx off > /dev/null &&
nft add table ip sh_fault &&
nft add chain ip sh_fault out '{ type filter hook output priority 300; }' &&
nft add rule ip sh_fault out udp dport "$2" @th,312,8 6 meta length gt 1000 udp checksum set 0xbad
"""
_UNDO = """
! nft list tables | grep -q sh_fault || nft delete table ip sh_fault
ethtool -K "$1" tx on > /dev/null
"""

FAULT = Fault(
    name="vxlan-checksum",
    what="wrong outer UDP checksums on what a node sends of bulk TCP",
    primary="FL-CSUM",
    create=on_node(
        _CREATE,
        lambda where: where.node.interface,
        lambda where: where.context.site.target.cluster.network.port,
    ),
    undo=on_node(_UNDO, lambda where: where.node.interface),
)
