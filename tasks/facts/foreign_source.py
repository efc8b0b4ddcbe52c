"""Does the underlay let a packet pass whose source is not the node's own address? And how much passes?

One node sends datagrams under its own and under a foreign address, straight onto the wire (no rule of its own
kernel alters them); another sees what arrives, before its own rules. perl, which every Debian has (perl-base
is essential), so nothing is installed for a question.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Command
from tasks.facts.asked import fields

PORT = 10412
WAIT_S = 8
BULK_S = 1.0

# perl-base has no Time::HiRes; times(2) counts hundredths of a second.
_NOW = "sub now { (POSIX::times())[0] / POSIX::sysconf(POSIX::_SC_CLK_TCK()) }\n"
_EAR = r"""
use strict; use Socket; use POSIX ();
my ($port, $marker, $wait, $bulk) = @ARGV;
$| = 1;
socket(my $wire, 17, 2, unpack('S', pack('n', 0x0800))) or die "packet socket: $!\n";
socket(my $door, PF_INET, SOCK_STREAM, 6) or die "socket: $!\n";
setsockopt($door, SOL_SOCKET, SO_REUSEADDR, 1);
bind($door, pack_sockaddr_in($port, INADDR_ANY)) && listen($door, 1) or die "port $port: $!\n";
my ($end, %seen) = (now() + $wait);
while (now() < $end && keys %seen < 2) {
  my $ready = ''; vec($ready, fileno($wire), 1) = 1;
  next unless select($ready, undef, undef, 0.5) > 0;
  recv($wire, my $packet, 2048, 0);
  my $at = index($packet, $marker);
  next if $at < 0;
  my $word = substr($packet, $at + length $marker);
  print "$word\t", inet_ntoa(substr($packet, 12, 4)), "\n" unless $seen{$word}++;
}
exit 0 unless $bulk;
my $ready = ''; vec($ready, fileno($door), 1) = 1;
exit 0 unless select($ready, undef, undef, 4) > 0;
accept(my $guest, $door) or exit 0;
my ($bytes, $from) = (0, now());
while (my $read = sysread($guest, my $block, 1 << 18)) { $bytes += $read }
printf "bulk\t%.3f\n", $bytes * 8 / 1e6 / (now() - $from);
"""

_MOUTH = r"""
use strict; use Socket; use POSIX ();
my ($port, $marker, $index, $mac, $to, $own, $foreign, $bulk) = @ARGV;
socket(my $wire, 17, 2, 0) or die "packet socket: $!\n";
my $hop = pack('SniSCCa8', 17, 0x0800, $index, 0, 0, 6, pack('H12', $mac =~ s/://gr));
sub packet {
  my ($from, $data) = @_;
  my $udp = pack('nnnn', $port, $port, 8 + length $data, 0) . $data;
  my @head = (0x45, 0, 20 + length $udp, 0, 0, 64, 17, 0, inet_aton($from), inet_aton($to));
  my $sum = unpack('%32n*', pack('CCnnnCCna4a4', @head));
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  $head[7] = ~$sum & 0xffff;
  return pack('CCnnnCCna4a4', @head) . $udp;
}
for (1 .. 12) {
  send($wire, packet($own, "${marker}own"), 0, $hop);
  send($wire, packet($foreign, "${marker}foreign"), 0, $hop);
  select(undef, undef, undef, 0.25);
}
exit 0 unless $bulk;
socket(my $out, PF_INET, SOCK_STREAM, 6) or exit 0;
$SIG{PIPE} = 'IGNORE';
connect($out, pack_sockaddr_in($port, inet_aton($to))) or exit 0;
my ($block, $end) = ("\0" x (1 << 18), now() + $bulk);
while (now() < $end) { syswrite($out, $block) or last }
"""


@dataclass(frozen=True)
class Heard:
    """The sources under which datagrams arrived (empty: none did), and the rate of one TCP connection."""

    own: str
    foreign: str
    mbit_per_s: float | None


def listen(marker: str, *, bulk: bool) -> Command:
    """What the receiving node runs, for at most WAIT_S and the bulk."""
    return Command.of("perl", "-e", _NOW + _EAR, str(PORT), marker, str(WAIT_S), "1" if bulk else "")


def send(marker: str, index: int, mac: str, to: str, *, own: str, foreign: str, bulk: bool) -> Command:
    """What the sending node runs: `index` is its interface's, `mac` the next hop's."""
    seconds = f"{BULK_S:g}" if bulk else ""
    return Command.of(
        "perl", "-e", _NOW + _MOUTH, str(PORT), marker, str(index), mac, to, own, foreign, seconds
    )


def parse(output: str) -> Heard:
    """What the receiving node printed. Raises ValueError for anything else."""
    found = {"own": "", "foreign": "", "bulk": ""}
    for line in output.splitlines():
        name, value = fields(line, 2)
        if name not in found:
            raise ValueError(f"unknown line {line!r}")
        found[name] = value
    rate = float(found["bulk"]) if found["bulk"] else None
    return Heard(found["own"], found["foreign"], rate)
