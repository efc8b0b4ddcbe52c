"""haproxy on an edge node: its three files and its unit. The files' content is `haproxy_config`'s."""

from __future__ import annotations

from tasks.operations.haproxy_config import (
    LUA_NAME,
    MAP_NAME,
    EdgeDesign,
    EdgeFiles,
    Server,
    render_edge,
)

__all__ = ["LUA_NAME", "MAP_NAME", "EdgeDesign", "EdgeFiles", "Server", "render_edge"]
