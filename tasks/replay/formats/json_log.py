"""An access log of one JSON object a line, under the names that nginx, Apache, Traefik, Caddy and vegeta use.

    {"msec": "1443960936.123", "request_time": "0.012", "request": "GET /a HTTP/1.1", "status": 200}
    {"time": "[04/Oct/2015:13:55:36 +0200]", "method": "GET", "request": "/a", "query": "?b=c"}

Names are read in any case, as Apache's are its administrator's own. nginx and Caddy write a line when the
answer has gone: with `msec` and `request_time`, or Caddy's `ts` and `duration`, arrival is their difference.
Apache's `%t` and Traefik's `StartUTC` are arrival itself. A request's body is taken from `request_body`,
where the log has it.
"""

from __future__ import annotations

import re
from typing import Any

from tasks.replay.formats.entry import BrokenLine, Entry, Format, request_line, target_of
from tasks.replay.formats.lines import by_line, json_object
from tasks.replay.formats.times import clf_seconds, epoch_seconds, iso_seconds

_AT = (
    *("msec", "startutc", "startlocal", "time_iso8601", "@timestamp", "timestamp", "time", "ts"),
    *("time_local", "datetime"),
)
_LINE = ("request", "request_line", "requestline", "requestfirstline")
_METHOD = ("request_method", "requestmethod", "method", "verb")
_TARGET = ("request_uri", "requesturi", "requestpath", "uri", "url", "path", "request")
_QUERY = ("query", "query_string", "querystring", "args")  # of a target that has none in it
_STATUS = ("status", "downstreamstatus", "status_code", "statuscode", "code", "response")
_HOST = (
    "host",
    "http_host",
    "requesthost",
    "requestaddr",
    "vhost",
    "virtualhost",
    "server_name",
    "servername",
)
_CLIENT = (
    *(
        "client_ip",
        "clientip",
        "remote_addr",
        "remoteaddr",
        "clienthost",
        "clientaddr",
        "remote_ip",
        "remoteip",
    ),
    *("remote_host", "remotehost", "client"),
)
_CLF = re.compile(r"\[?(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})\]?")
_WITH_PORT = re.compile(r"(\d+(?:\.\d+){3}|\[[0-9a-fA-F:.]+\]):\d+")
_REDACTED = frozenset({"-", "REDACTED"})  # what stands for an absent field, and for one that Caddy hides


def parse(line: bytes) -> Entry:
    """Raises BrokenLine."""
    log = {name.lower(): value for name, value in json_object(line).items()}
    taken = "request_time" if "msec" in log else ""
    if isinstance(request := log.get("request"), dict):  # Caddy
        taken = "duration"
        log = {name.lower(): value for name, value in request.items()} | log
        del log["request"]
    at_s, status, body = _arrival(log, taken), _status(_first(log, _STATUS)), log.get("request_body")
    content = body.encode() if isinstance(body, str) and body not in ("", "-") else None
    told = _first(log, _LINE)
    if isinstance(told, str) and not told.startswith("/"):  # a path: Apache's %U
        method, host, target = request_line(told.encode())
    else:
        method, host, target = _by_parts(log)
    named, client = (_text(_first(log, names)) for names in (_HOST, _CLIENT))
    return Entry(at_s, method, target, status, host or named, _headers(log), content, _address(client))


def _by_parts(log: dict[str, Any]) -> tuple[str, str, str | None]:
    """Method, host and target, each under a name of its own."""
    verb, url = _first(log, _METHOD), _first(log, _TARGET)
    if not isinstance(verb, str) or not isinstance(url, str):
        raise BrokenLine(
            f"no request in it; known names: request, or one of {', '.join(_METHOD)} and one of "
            f"{', '.join(_TARGET)}"
        )
    query = _text(_first(log, _QUERY)).removeprefix("?")
    if query and query != "-" and "?" not in url:
        url += f"?{query}"
    return verb, *target_of(url.encode("utf-8", "surrogatepass"))


def _headers(log: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The request's header fields: nginx's and Traefik's have names, Caddy has all of them as lists."""
    told: list[tuple[str, Any]] = [
        ("Content-Type", _first(log, ("content_type", "request_content-type"))),
        ("Cookie", _first(log, ("http_cookie", "request_cookie"))),
    ]
    if isinstance(fields := log.get("headers"), dict):
        told += [
            (name, value) for name, values in fields.items() if isinstance(values, list) for value in values
        ]
    return tuple((name, value) for name, value in told if isinstance(value, str) and value not in _REDACTED)


def _address(client: str) -> str:
    """Without its port: each connection has another one, and a client is who has one address."""
    with_port = _WITH_PORT.fullmatch(client)
    return with_port[1].strip("[]") if with_port else client


def _arrival(log: dict[str, Any], taken: str) -> float:
    """`taken`: under which name the seconds stand that are to be subtracted; empty: none are."""
    value = _first(log, _AT)
    if isinstance(value, str) and (stamp := _CLF.fullmatch(value)):
        return clf_seconds(stamp[1].encode(), stamp[2].encode())
    try:
        at_s = epoch_seconds(float(value))
    except (TypeError, ValueError) as error:
        if isinstance(error, BrokenLine):
            raise
        if not isinstance(value, str):
            raise BrokenLine(f"no time in it; known names: {', '.join(_AT)}") from error
        at_s = iso_seconds(value)
    try:
        return at_s - float(log.get(taken) or 0)
    except (TypeError, ValueError) as error:
        raise BrokenLine(f"{taken} {log[taken]!r} is not a number of seconds") from error


def _status(value: Any) -> int:
    if value is None:
        return 0
    try:
        status = int(value)
    except (TypeError, ValueError) as error:
        raise BrokenLine(f"{value!r} is not a status") from error
    if not 0 <= status <= 999:
        raise BrokenLine(f"{status} is not a status")
    return status


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _first(log: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((log[name] for name in names if name in log), None)


FORMAT = Format("json", "access log of one JSON object a line", lambda head: head[:1] == b"{", by_line(parse))
