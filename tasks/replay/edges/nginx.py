"""nginx from 1.11.8: an access log of its own, JSON in a syslog datagram.

A byte above 127 stands in it as it came, so the text is read as Latin-1, one to one. Where a body has gone
to a temporary file, `$request_body` is empty. Source: nginx, ngx_http_log_module, logging to syslog.
"""

from __future__ import annotations

import json

from tasks.replay.edges.edge import BEGIN, BODY_TYPES, END, FORWARDED, TAKE_OUT, TOLD_HEADERS, Edge, entry_of
from tasks.replay.formats.entry import BrokenLine, Entry

_FILE = "/etc/nginx/conf.d/safe-harbor-capture.conf"
_RELOAD = "nginx -t && systemctl reload nginx"
_BEGUN = b" safe_harbor: {"


def lines(address: str, bodies: bool) -> str:
    """See `Edge`."""
    values = {"at_s": "$msec", "took_s": "$request_time", "method": "$request_method"}
    values |= {"client": "$remote_addr", "target": "$request_uri", "host": "$http_host"}
    values |= {name: f"$http_{name.replace('-', '_')}" for name in (FORWARDED, *TOLD_HEADERS)}
    http = []
    if bodies:
        values["body"] = "$safe_harbor_body"
        http += [
            'map "$request_method:$content_type" $safe_harbor_body {',
            '    default "";',
            f'    "~*^(POST|PUT|PATCH|DELETE):{BODY_TYPES}" $request_body;',
            "}",
        ]
    fields = ",".join(f'"{name}":"{value}"' for name, value in values.items())
    http.append(f"log_format safe_harbor escape=json '{{{fields}}}';")
    inside = [
        "# nginx, second: in the server (or location) that the customers reach. An access_log of its own",
        "# ends the inheritance of the one above: write that one beside it, or this log is the only one.",
        f"# In:  {_RELOAD}",
        f"# Out: {TAKE_OUT} FILE && rm {_FILE} && {_RELOAD}",
        f"access_log syslog:server={address},nohostname,tag=safe_harbor safe_harbor;",
    ]
    second = [f"    {line}" for line in (BEGIN, *inside, END)]
    return "\n".join((f"# nginx, first: a file of its own, {_FILE}", *http, "", *second))


def parse(datagram: bytes) -> Entry | None:
    """See `Edge`."""
    before, begun, rest = datagram.partition(_BEGUN)
    if not begun or not before.startswith(b"<"):
        return None
    try:
        log = json.loads("{" + rest.decode("latin-1"))
        at_s = float(log["at_s"]) - float(log["took_s"])
        told = {name: value.encode("latin-1") for name, value in log.items()}
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenLine(f"the line is cut off, or not of the lines that are shown: {error!r}") from error
    return entry_of(told, at_s)


EDGE = Edge("nginx", lines, parse)
