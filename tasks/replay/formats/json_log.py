"""An access log of one JSON object a line, under the names that nginx, Traefik, Caddy and vegeta use.

    {"msec": "1443960936.123", "request_time": "0.012", "request": "GET /a HTTP/1.1", "status": 200}

nginx writes a line when the answer has gone: with `msec` and `request_time`, arrival is their difference.
A request's body is taken from `request_body`, where the log has it.
"""

from __future__ import annotations

import re
from typing import Any

from tasks.replay.formats.entry import BrokenLine, Entry, Format, request_line, target_of
from tasks.replay.formats.lines import by_line, json_object
from tasks.replay.formats.times import clf_seconds, epoch_seconds, iso_seconds

_AT = ("msec", "StartUTC", "time_iso8601", "@timestamp", "timestamp", "time", "ts", "time_local")
_METHOD = ("request_method", "RequestMethod", "method")
_TARGET = ("request_uri", "RequestPath", "uri", "url", "path")
_STATUS = ("status", "DownstreamStatus", "status_code", "code")
_HOST = ("host", "http_host", "RequestHost", "server_name")
_CLIENT = ("remote_addr", "ClientHost", "remote_ip", "client_ip")
_CLF = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")


def parse(line: bytes) -> Entry:
    """Raises BrokenLine."""
    log = json_object(line)
    request = log.get("request")
    if isinstance(request, dict):  # Caddy
        log = {**request, **{key: value for key, value in log.items() if key != "request"}}
    at_s, status, body = _arrival(log), _status(_first(log, _STATUS)), log.get("request_body")
    content = body.encode() if isinstance(body, str) and body not in ("", "-") else None
    kind = log.get("content_type")
    told = (("Content-Type", kind), ("Cookie", log.get("http_cookie")))
    headers = tuple((name, value) for name, value in told if isinstance(value, str) and value != "-")
    if isinstance(request, str):
        method, host, target = request_line(request.encode())
    else:
        verb, url = _first(log, _METHOD), _first(log, _TARGET)
        if not isinstance(verb, str) or not isinstance(url, str):
            raise BrokenLine(
                f"no request in it; known names: request, or one of {', '.join(_METHOD)} and one of "
                f"{', '.join(_TARGET)}"
            )
        method, (host, target) = verb, target_of(url.encode("utf-8", "surrogatepass"))
    named, client = (_text(_first(log, names)) for names in (_HOST, _CLIENT))
    return Entry(at_s, method, target, status, host or named, headers, content, client)


def _arrival(log: dict[str, Any]) -> float:
    value = _first(log, _AT)
    if isinstance(value, str) and _CLF.fullmatch(value):
        return clf_seconds(value[:20].encode(), value[21:].encode())
    try:
        at_s = epoch_seconds(float(value))
    except (TypeError, ValueError) as error:
        if isinstance(error, BrokenLine):
            raise
        if not isinstance(value, str):
            raise BrokenLine(f"no time in it; known names: {', '.join(_AT)}") from error
        return iso_seconds(value)
    if "msec" in log:
        try:
            return at_s - float(log.get("request_time") or 0)
        except (TypeError, ValueError) as error:
            raise BrokenLine(f"request_time {log['request_time']!r} is not a number of seconds") from error
    return at_s


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
