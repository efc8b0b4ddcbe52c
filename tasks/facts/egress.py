"""What something on a node is connected to: the connection-tracking table, as it stands at one moment.

A row's first tuple is the original direction: who opened the connection, and to where (nf_conntrack(5) has no
page; net/netfilter/nf_conntrack_standalone.c writes the rows). Each row passes through the host's own pipe
only once; addresses and ports leave it, no contents.

A connection that was there before the table (of SSH, before any rule asked for it) is entered by its next
packet, which may be the server's: what comes from a port that the host listens on is the other end's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
if [ -r /proc/net/nf_conntrack ]; then
  echo seen proc
  sed 's/\\[[A-Z_]*\\]//g' /proc/net/nf_conntrack
elif command -v conntrack >/dev/null; then
  echo seen conntrack
  conntrack --dump --output extended 2>/dev/null
else
  echo unseen no /proc/net/nf_conntrack, and no program conntrack
  exit
fi
ss -Hltn | while read -r _ _ _ local _; do echo "listens ${local##*:}"; done
"""


@dataclass(frozen=True, order=True)
class Flow:
    """Who opened a connection, and to where; `port` is 0 for a protocol without ports."""

    protocol: str
    source: str
    destination: str
    port: int


@dataclass(frozen=True)
class Flows:
    """`unseen` says why there are none to see; empty where they were seen."""

    flows: tuple[Flow, ...]
    unseen: str = ""


def command() -> Shellable:
    """Ask for the table."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Flows:
    """Raises ValueError where a row has no original tuple."""
    lines = output.splitlines()
    head, _, rest = lines[0].partition(" ") if lines else ("", "", "")
    if head == "unseen":
        return Flows((), rest)
    if head != "seen":
        raise ValueError("the first line says neither seen nor unseen")
    listens = {int(line.split()[1]) for line in lines[1:] if line.startswith("listens ")}
    rows = (_row(line) for line in lines[1:] if line.strip() and not line.startswith("listens "))
    opened = {flow for flow, from_port in rows if not (flow.protocol == "tcp" and from_port in listens)}
    return Flows(tuple(sorted(opened)))


def leaving(flows: Sequence[Flow], inside: Sequence[str]) -> tuple[Flow, ...]:
    """The flows from one of the networks `inside` to none of them, nor to the host itself or its link."""
    networks = [ip_network(each) for each in inside]

    def within(text: str) -> bool:
        address = ip_address(text)
        return any(address in network for network in networks)

    def stays(text: str) -> bool:
        address = ip_address(text)
        return address.is_loopback or address.is_link_local or address.is_multicast or within(text)

    return tuple(each for each in flows if within(each.source) and not stays(each.destination))


def ask() -> Asked[Flows]:
    """The question."""
    return Asked("egress", command(), parse)


def _row(line: str) -> tuple[Flow, int]:
    """The flow, and the port that it comes from."""
    words = line.split()
    values: dict[str, str] = {}
    for word in words:
        name, found, value = word.partition("=")
        if found:
            values.setdefault(name, value)  # the reply's tuple comes second
    if len(words) < 3 or "src" not in values or "dst" not in values:
        raise ValueError(f"a row without an original tuple: {line[:80]!r}")
    source, destination = (str(ip_address(values[name])) for name in ("src", "dst"))
    flow = Flow(words[2], source, destination, int(values.get("dport", "0")))
    return flow, int(values.get("sport", "0"))
