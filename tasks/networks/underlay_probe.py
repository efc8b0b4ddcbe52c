"""Asks the network beneath whether pods' addresses pass, and how much does. Changes nothing on a node."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from inventory.models.cluster import Node
from tasks.drivers.errors import OutsideError
from tasks.drivers.ports import Host
from tasks.facts import foreign_source
from tasks.facts.foreign_source import Heard
from tasks.facts.underlay import Underlay


@dataclass(frozen=True)
class Pair:
    """One node that sends to the next; `heard` is None where the question could not be asked."""

    sender: str
    receiver: str
    heard: Heard | None
    error: str = ""


def foreign_address(pods: IPv4Network) -> IPv4Address:
    """An address of the pods' network that no pod ever has: flannel leaves the first subnet out."""
    return pods.network_address + 2


def ring(
    nodes: Sequence[Node], hosts: Mapping[str, Host], underlays: Mapping[str, Underlay], pods: IPv4Network
) -> tuple[Pair, ...]:
    """Each node sends to the next, all at once; the first pair alone sends bulk data, afterwards.

    A pair whose host fails is in the answer with its error: what is not known is for the caller to say.
    """
    if len(nodes) < 2:
        return ()
    pairs = list(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    foreign = str(foreign_address(pods))

    def one(number: int) -> Pair:
        sender, receiver = pairs[number]
        hop = underlays[sender.name].hops[str(receiver.address)]
        if not hop.mac:
            return Pair(sender.name, receiver.name, None, f"nobody answers for {hop.address}")
        marker = f"safe-harbor-{secrets.token_hex(8)}-"
        bulk = number == 0
        said = foreign_source.send(
            marker,
            underlays[sender.name].index,
            hop.mac,
            str(receiver.address),
            own=str(sender.address),
            foreign=foreign,
            bulk=bulk,
        )
        try:
            with ThreadPoolExecutor(1) as ear:
                listening = ear.submit(
                    hosts[receiver.name].check, foreign_source.listen(marker, bulk=bulk), timeout_s=60
                )
                hosts[sender.name].check(said, timeout_s=60)
                return Pair(sender.name, receiver.name, foreign_source.parse(listening.result()))
        except (OutsideError, ValueError) as error:
            return Pair(sender.name, receiver.name, None, str(error))

    with ThreadPoolExecutor(min(16, len(pairs))) as pool:
        return tuple(pool.map(one, range(len(pairs))))


def lets_foreign_through(pairs: Sequence[Pair], foreign: IPv4Address) -> bool | None:
    """Whether every pair's foreign datagram arrived as it was sent.

    None where that is not known: no pair, one that was not asked, or whose own datagram did not arrive.
    """
    known = [pair.heard for pair in pairs if pair.heard and pair.heard.own]
    if any(heard.foreign != str(foreign) for heard in known):
        return False
    return True if pairs and len(known) == len(pairs) else None
