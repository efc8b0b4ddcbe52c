"""kube-proxy's table in nftables mode: which endpoints each Service's chain leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Script
from tasks.facts.asked import Asked

# A chain per Service and port, `service-HASH-NAMESPACE/NAME/PROTOCOL/PORT`: it rewrites the destination, or
# (session affinity) goes to chains with the endpoint in their names. Source: pkg/proxy/nftables of 1.37.
_CHAIN = re.compile(r"^\tchain service-[A-Z0-9]+-(?P<name>[^/\s]+/[^/\s]+)/[a-z]+/(?P<port>\S*) \{$")
_REWRITTEN = re.compile(r"\b(\d+\.\d+\.\d+\.\d+)(?: \. |:)(\d+)\b")
_GONE_TO = re.compile(r"goto endpoint-\S+?__(\d+\.\d+\.\d+\.\d+)/(\d+)")
_PROGRAM = """
nft list tables | grep -qx 'table ip kube-proxy' || exit 0
exec nft list table ip kube-proxy
"""


@dataclass(frozen=True)
class ProxyTable:
    """`endpoints`: `namespace/name:port` -> `address:port` of those that its chain leads to."""

    there: bool
    endpoints: Mapping[str, frozenset[str]]


def parse(output: str) -> ProxyTable:
    """Raises ValueError where it is not the table that was asked for."""
    if not output.strip():
        return ProxyTable(False, {})
    if not output.startswith("table ip kube-proxy {"):
        raise ValueError(f"`table ip kube-proxy` expected: {output[:100]!r}")
    found: dict[str, set[str]] = {}
    service: set[str] | None = None
    for line in output.splitlines():
        chain = _CHAIN.match(line)
        if chain:
            label = f":{chain['port']}" if chain["port"] else ""
            service = found.setdefault(chain["name"] + label, set())
        elif line == "\t}":
            service = None
        elif service is not None:
            ends = _GONE_TO.findall(line) or (
                _REWRITTEN.findall(line) if "dnat" in line or ":" in line else []
            )
            service |= {f"{address}:{port}" for address, port in ends}
    return ProxyTable(True, {name: frozenset(ends) for name, ends in found.items()})


def ask_tables() -> Asked[tuple[str, ...]]:
    """The question which tables there are (`ip kube-proxy`); none where the host has no nft."""
    program = "command -v nft > /dev/null || exit 0; exec nft list tables"
    return Asked(
        "nftables tables",
        Script.of(program),
        lambda output: tuple(line.removeprefix("table ") for line in output.splitlines()),
    )


def ask() -> Asked[ProxyTable]:
    """The question about the IPv4 table."""
    return Asked("nftables table of kube-proxy", Script.of(_PROGRAM), parse)
