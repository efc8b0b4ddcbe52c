"""The network beneath the pods' as a node sees it: its interface, and the next hop to each other node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script
from tasks.facts.asked import Asked, fields

# A datagram to the discard port makes the kernel ask for the neighbour. $1 the interface; then the peers.
_PROGRAM = r"""
interface=$1; shift
ip -o link show dev "$interface" | sed 's/^\([0-9]*\): .* mtu \([0-9]*\) .*/index\t\1\nmtu\t\2/'
perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 17) or die "socket: $!\n";
  for (@ARGV) { send(S, "x", 0, pack_sockaddr_in(9, inet_aton($_))) }' "$@"
sleep 1
for peer do
  route=$(ip -4 route get "$peer" | head -n 1)
  case $route in *' via '*) hop=${route##* via }; hop=${hop%% *} ;; *) hop=$peer ;; esac
  mac=$(ip -4 neigh show to "$hop" dev "$interface" | sed -n 's/.*lladdr \([^ ]*\).*/\1/p' | head -n 1)
  printf 'peer\t%s\t%s\t%s\n' "$peer" "$hop" "$mac"
done
"""


@dataclass(frozen=True)
class Hop:
    """The way to a peer begins at `address` (the peer's own where it is on the link); `mac` may be empty."""

    address: str
    mac: str


@dataclass(frozen=True)
class Underlay:
    """`mtu` in bytes, `index` is the kernel's number of the interface, `hops` by the peer's address."""

    mtu: int
    index: int
    hops: Mapping[str, Hop]

    @property
    def one_l2(self) -> bool:
        """Whether every peer answers for itself on the link: no router, and none that answers for several."""
        macs = [hop.mac for hop in self.hops.values()]
        direct = all(hop.address == peer for peer, hop in self.hops.items())
        return direct and all(macs) and len(set(macs)) == len(macs)


def parse(output: str) -> Underlay:
    """Raises ValueError or KeyError for anything else than the program's lines."""
    numbers: dict[str, int] = {}
    hops = {}
    for line in output.splitlines():
        if line.startswith("peer\t"):
            _, peer, address, mac = fields(line, 4)
            hops[peer] = Hop(address, mac)
        else:
            name, value = fields(line, 2)
            numbers[name] = int(value)
    return Underlay(numbers["mtu"], numbers["index"], hops)


def ask(interface: str, peers: Sequence[str]) -> Asked[Underlay]:
    """The question; it takes a second."""
    return Asked("the underlay", Script.of(_PROGRAM, interface, *peers), parse)
