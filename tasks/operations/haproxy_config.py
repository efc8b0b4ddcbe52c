"""The configuration of an edge: haproxy 2.6 in front of both sides of the exit.

A request takes the backend of its side by a dice against the map's `share` (percent of the target); a request
that writes waits in a Lua action while the map's `hold` is on. Both entries change by the runtime API (`set
map`) with no reload. Writes have backends of their own, so that `show stat` tells how many are in flight.
Directives: docs.haproxy.org/2.6/configuration.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAP_NAME = "shift.map"
LUA_NAME = "hold.lua"
EDGE_HEADER = "X-Safe-Harbor-Edge"
SIDES = ("source", "target")
WRITES_SUFFIX = "_writes"

_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,60}$")
_PLAIN = re.compile(r"^[A-Za-z0-9_./:@*-]{1,200}$")


@dataclass(frozen=True)
class Server:
    """One address that answers for a side: a NodePort, or the other side's edge."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class EdgeDesign:
    """What an edge shall be.

    `home` is the side whose servers are near: requests that already came through another edge (they carry
    X-Safe-Harbor-Edge) go there, so two edges never send a request in circles; and when no server of the
    far side answers, its requests fall back to home. `runtime` is `ipv4@HOST:PORT` or a socket's path,
    `log` is `stdout` or a syslog socket's path or `HOST:PORT`. `folder` holds the map and the Lua file.
    """

    name: str
    bind: str
    source: tuple[Server, ...]
    target: tuple[Server, ...]
    home: str
    runtime: str
    folder: str
    log: str = "stdout"
    share_percent: int = 0
    hold_max_s: int = 30
    max_connections: int = 8_000  # two files each, and a shell commonly has 20,000
    threads: int = 2
    account: str = ""  # the system account that haproxy runs as; empty: the one that starts it

    def __post_init__(self) -> None:
        if self.home not in SIDES:
            raise ValueError(f"home is {self.home!r}; allowed: {', '.join(SIDES)}")
        if not 0 <= self.share_percent <= 100:
            raise ValueError(f"share_percent {self.share_percent} is not between 0 and 100")
        if not 1 <= self.hold_max_s <= 55:
            raise ValueError(f"hold_max_s {self.hold_max_s} is not between 1 and 55 (the client waits 60 s)")
        for side, servers in (("source", self.source), ("target", self.target)):
            if not servers:
                raise ValueError(f"the edge {self.name} has no server for {side}")
            names = [server.name for server in servers]
            if len(set(names)) != len(names):
                raise ValueError(f"two servers of {side} have the same name: {', '.join(names)}")
        words = [self.name, self.account or "root", *(server.name for server in (*self.source, *self.target))]
        for word in words:
            if not _NAME.fullmatch(word):
                raise ValueError(f"{word!r} is not a name that haproxy takes")
        for word in (self.bind, self.runtime, self.folder, self.log, *_hosts(self)):
            if not _PLAIN.fullmatch(word):
                raise ValueError(f"{word!r} is not an address or path that haproxy takes")


@dataclass(frozen=True)
class EdgeFiles:
    """The three files: `config` anywhere, `lua` and `shift_map` in the design's folder."""

    config: str
    lua: str
    shift_map: str


def _hosts(design: EdgeDesign) -> list[str]:
    return [server.host for server in (*design.source, *design.target)]


def render_edge(design: EdgeDesign) -> EdgeFiles:
    """The files of this edge."""
    shift_map = f"{design.folder}/{MAP_NAME}"
    backends = "\n".join(_backends(design, side) for side in SIDES)
    config = _FRONT.format(
        name=design.name,
        bind=design.bind,
        home=design.home,
        runtime=_socket(design.runtime),
        lua=f"{design.folder}/{LUA_NAME}",
        map=shift_map,
        log=f"{design.log} format raw" if design.log == "stdout" else design.log,
        max_connections=design.max_connections,
        threads=design.threads,
        header=EDGE_HEADER,
        account=f"    user {design.account}\n    group {design.account}\n" if design.account else "",
    )
    lua = _LUA.replace("@MAP@", shift_map).replace("@HOLD_MAX_MS@", str(design.hold_max_s * 1000))
    return EdgeFiles(config + backends, lua, f"share {design.share_percent}\nhold 0\n")


def _socket(runtime: str) -> str:
    mode = " mode 600" if runtime.startswith("/") else ""
    return f"{runtime}{mode} level admin"


def _backends(design: EdgeDesign, side: str) -> str:
    servers: tuple[Server, ...] = getattr(design, side)
    far = side != design.home
    # A failed connection takes the far side's server out at once: its retry goes home, not to the same hole.
    watch = " observe layer4 error-limit 1 on-error mark-down" if far else ""
    own = [f"    server {s.name} {s.host}:{s.port} check{watch}" for s in servers]
    tracked = [f"    server {s.name} {s.host}:{s.port} track {side}/{s.name}" for s in servers]
    if far:
        near: tuple[Server, ...] = getattr(design, design.home)
        spare = [
            f"    server home-{s.name} {s.host}:{s.port} backup track {design.home}/{s.name}" for s in near
        ]
        own, tracked = own + spare, tracked + spare
    # A read that got no byte of an answer is sent again; a write never is, it may have been done.
    return _BACKEND.format(
        side=side, writes=side + WRITES_SUFFIX, header=EDGE_HEADER, name=design.name,
        servers="\n".join(own), tracked="\n".join(tracked),
    )  # fmt: skip


_FRONT = """\
# Written by safe-harbor for the edge {name}; the next `cutover` or `prepare` overwrites changes by hand.
global
    log {log} local0
    maxconn {max_connections}
    nbthread {threads}
    stats socket {runtime}
    stats timeout 30s
    lua-load {lua}
{account}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-keep-alive
    option redispatch 1
    option forwardfor
    retries 3
    timeout connect 2s
    timeout client 60s
    timeout server 30s
    timeout queue 10s
    timeout http-request 15s
    timeout http-keep-alive 60s
    timeout check 2s
    default-server inter 1s fastinter 250ms downinter 500ms fall 2 rise 1 maxconn 4000 pool-purge-delay 30s

frontend shop
    bind {bind}
    http-request capture req.hdr(referer) len 200
    http-request capture req.hdr(user-agent) len 200
    log-format '%ci - - [%trg] "%HM %HU %HV" %ST %B "%[capture.req.hdr(0)]" "%[capture.req.hdr(1)]" %Ta %b/%s'
    acl writes method POST PUT PATCH DELETE
    acl relayed req.hdr({header}) -m found
    http-request lua.hold if writes {{ str(hold),map_str_int({map},0) eq 1 }}
    http-request set-var(txn.share) str(share),map_str_int({map},0)
    http-request set-var(txn.dice) rand(100),sub(txn.share)
    acl to_target var(txn.dice) -m int lt 0
    use_backend {home}_writes if relayed writes
    use_backend {home} if relayed
    use_backend target_writes if to_target writes
    use_backend target if to_target
    use_backend source_writes if writes
    default_backend source

"""

_BACKEND = """\
backend {side}
    balance roundrobin
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host edge hdr {header} {name}
    http-check expect status 200
    http-reuse safe
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
    http-request set-header {header} {name}
{servers}

backend {writes}
    balance roundrobin
    http-reuse never
    retry-on conn-failure
    http-request set-header {header} {name}
{tracked}
"""

# The pause grows with the time waited (an eighth of it, 10 to 200 ms): a short hold ends promptly, and
# thousands of long ones wake up a few times a second each. Sleep does not count for Lua's session limit.
_LUA = """\
-- Written by safe-harbor: holds a request that writes while the map's `hold` is 1.
local shift = Map.new("@MAP@", Map._str)
local longest_ms = @HOLD_MAX_MS@

core.register_action("hold", { "http-req" }, function(txn)
    local waited_ms = 0
    while waited_ms < longest_ms and shift:lookup("hold") == "1" do
        local pause_ms = math.floor(math.max(10, math.min(200, waited_ms / 8)))
        core.msleep(pause_ms)
        waited_ms = waited_ms + pause_ms
    end
end)
"""
