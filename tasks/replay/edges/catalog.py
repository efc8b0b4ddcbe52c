"""All edges."""

from __future__ import annotations

from inventory.errors import BadInput
from tasks.replay.edges import haproxy, nginx
from tasks.replay.edges.edge import Edge
from tasks.replay.formats.entry import BrokenLine, Entry

EDGES = (haproxy.EDGE, nginx.EDGE)


def edge_named(name: str) -> Edge:
    """Raises BadInput, with the names that are known."""
    for edge in EDGES:
        if edge.name == name:
            return edge
    raise BadInput(f"no edge is named {name!r}; known: {', '.join(edge.name for edge in EDGES)}")


def told_by(datagram: bytes) -> Entry:
    """The request that a datagram of any edge tells of. Raises BrokenLine."""
    for edge in EDGES:
        entry = edge.parse(datagram)
        if entry is not None:
            return entry
    raise BrokenLine(f"of no edge that is known: {', '.join(edge.name for edge in EDGES)}")
