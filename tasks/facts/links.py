"""Links with their kind: MTU, and what a VXLAN link encapsulates with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked


@dataclass(frozen=True)
class Vxlan:
    """A VXLAN link's settings; `underlay` is the link it sends through."""

    vni: int
    local: str
    port: int
    learning: bool
    underlay: str


@dataclass(frozen=True)
class Link:
    """A link; `kind` is `vxlan`, `bridge`, `veth`, ... or empty for hardware. `master` is its bridge."""

    name: str
    mtu: int
    mac: str
    up: bool
    kind: str
    vxlan: Vxlan | None
    master: str = ""


def command() -> Shellable:
    """Ask for all links with details."""
    return Command.of("ip", "-details", "-json", "link", "show")


def parse(output: str) -> Mapping[str, Link]:
    """Raises ValueError or KeyError where it is not iproute2's JSON."""
    found: dict[str, Link] = {}
    for row in json.loads(output):
        if not row:
            continue
        info = row.get("linkinfo", {})
        kind, data = info.get("info_kind", ""), info.get("info_data", {})
        vxlan = None
        if kind == "vxlan":
            vxlan = Vxlan(
                int(data["id"]),
                data.get("local", ""),
                int(data["port"]),
                bool(data.get("learning", False)),
                data.get("link", ""),
            )
        found[row["ifname"]] = Link(
            row["ifname"],
            int(row["mtu"]),
            row.get("address", ""),
            "UP" in row["flags"],
            kind,
            vxlan,
            row.get("master", ""),
        )
    return found


def ask() -> Asked[Mapping[str, Link]]:
    """The question."""
    return Asked("links", command(), parse)
