"""Who else on the wire claims a host's own address: an ARP probe, as duplicate address detection sends it.

The probe (RFC 5227, 2.1.1) asks under the address 0.0.0.0, so no neighbour learns anything from it; the
kernel of a machine that has the address answers. It is sent by perl, which every Debian has (perl-base is
essential): two programs are called `arping`, and their `-D` differ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

PROBES = 3
WAIT_S = 0.5  # after each probe
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")

# An answer from a link of this host's own is none: two links on one wire answer for each other.
_PROBE = r"""
use strict; use Socket;
my ($link, $address, $probes, $wait) = @ARGV;
sub read_first { open(my $file, '<', $_[0]) or return ''; my $line = <$file> // ''; chomp $line; $line }
my $index = read_first("/sys/class/net/$link/ifindex")
  or do { print "unasked there is no link $link\n"; exit };
my %own = map { (read_first("$_/address") => 1) } glob '/sys/class/net/*';
my $mac = read_first("/sys/class/net/$link/address");
my $raw = pack('H12', $mac =~ s/://gr);
socket(my $wire, 17, 3, unpack('S', pack('n', 0x0806))) or do { print "unasked packet socket: $!\n"; exit };
bind($wire, pack('SniSCCa8', 17, 0x0806, $index, 0, 0, 6, '')) or do { print "unasked bind: $!\n"; exit };
my $ask = ("\xff" x 6) . $raw . pack('nnnCCn', 0x0806, 1, 0x0800, 6, 4, 1)
  . $raw . ("\0" x 4) . ("\0" x 6) . inet_aton($address);
my %seen;
for (1 .. $probes) {
  send($wire, $ask, 0) or do { print "unasked send: $!\n"; exit };
  my $left = $wait;
  while ($left > 0) {
    my $ready = ''; vec($ready, fileno($wire), 1) = 1;
    (my $found, $left) = select($ready, undef, undef, $left);  # Linux tells what is left of the time
    last unless $found > 0;
    recv($wire, my $frame, 2048, 0);
    next if length $frame < 42 || unpack('n', substr($frame, 20, 2)) != 2;
    next if inet_ntoa(substr($frame, 28, 4)) ne $address;
    my $from = join ':', unpack('(H2)6', substr($frame, 22, 6));
    $seen{$from}++ unless $own{$from};
  }
}
print "asked $address\n", map { "claimed $_\n" } sort keys %seen;
"""
_PROGRAM = r"""
command -v perl > /dev/null || { echo 'unasked there is no perl'; exit 0; }
exec perl -e "$1" "$2" "$3" "$4" "$5"
"""


@dataclass(frozen=True)
class Claims:
    """The hardware addresses of others that claim it. `unasked` says why none could be asked; else empty."""

    others: Sequence[str] = ()
    unasked: str = ""


def command(interface: str, address: str) -> Shellable:
    """Probe for this address on the wire of this interface; 1.5 s."""
    return Script.of(_PROGRAM, _PROBE, interface, address, PROBES, f"{WAIT_S:g}")


def parse(output: str) -> Claims:
    """Raises ValueError for anything that the program does not print."""
    lines = output.splitlines()
    word, _, said = lines[0].partition(" ") if lines else ("", "", "")
    if word == "unasked" and len(lines) == 1:
        return Claims(unasked=said)
    others = [line.removeprefix("claimed ") for line in lines[1:]]
    if word != "asked" or not all(_MAC.fullmatch(other) for other in others):
        raise ValueError(f"not the answer to an ARP probe: {output[:100]!r}")
    return Claims(tuple(others))


def ask(interface: str, address: str) -> Asked[Claims]:
    """The question."""
    return Asked("claims of the address", command(interface, address), parse)
