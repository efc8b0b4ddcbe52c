"""A neighbour table of the right size that something fills all the same: a program that asks a whole network.

Old entries are swept out when the table is full, so addresses that nobody has are asked for again and again.
"""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, Where, constant, on_node
from rehearsal.matrix.kernel_log import FORGET, OWN_KERNEL, WILL_SAY
from rehearsal.matrix.pinned import PIN_UNDERLAY, UNPIN_UNDERLAY
from rehearsal.matrix.settings import setting

_KEYS = [f"net.ipv4.neigh.default.gc_thresh{number}" for number in (1, 2, 3)]
# Three times the nodes and pods of a small site, so DP-NEIGH has nothing to say.
_SMALL, _AS_BEFORE = setting(_KEYS[0], "128", _KEYS[1], "256", _KEYS[2], "512")

# 1,500 addresses of 198.18.0.0/15 (RFC 2544). A socket for each hundred: the packets that wait for an answer
# fill a socket, which then asks no more. $ARGV[0] is the first two numbers of the addresses.
_ASK = r"""
use strict; use Socket;
my @asked;
for my $number (0 .. 14) {
  socket(my $out, PF_INET, SOCK_DGRAM, 17) or die "socket: $!\n";
  push @asked, map { [$out, pack_sockaddr_in(9, inet_aton("$ARGV[0].$number.$_"))] } 1 .. 100;
}
while (1) { send($_->[0], 'x', 0x40, $_->[1]) for @asked; select(undef, undef, undef, 0.1) }
"""
_FLOOD = """
ip link add sh-flood type veth peer name sh-flood-far &&
ip address add 198.19.255.254/16 dev sh-flood &&
ip link set sh-flood-far up && ip link set sh-flood up || exit 1
systemd-run --quiet --collect --unit=sh-fault-flood perl -e "$1" 198.19
"""
_EBB = """
! systemctl is-active -q sh-fault-flood.service || systemctl stop sh-fault-flood.service
[ ! -e /sys/class/net/sh-flood ] || ip link delete sh-flood
"""
_ON, _OFF = on_node(_FLOOD, constant(_ASK)), on_node(_EBB)
_SAYS, _FORGET = on_node(WILL_SAY), on_node(FORGET)


def _create(where: Where) -> None:
    _SAYS(where)
    PIN_UNDERLAY(where)
    _SMALL(where)
    _ON(where)


def _undo(where: Where) -> None:
    _OFF(where)
    _AS_BEFORE(where)
    UNPIN_UNDERLAY(where)
    _FORGET(where)


FAULT = Fault(
    name="neighbour-flood",
    what="a node asks for 1,500 addresses that nobody has, and its neighbour table holds 512",
    primary="DP-ARP",
    create=_create,
    undo=_undo,
    needs=OWN_KERNEL,
)
