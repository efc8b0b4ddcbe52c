"""What `k6 run --out json=FILE` writes: one point a line; those of `http_req_duration` are its requests.

A point's time is the end of the request and its value the duration in ms, so arrival is their difference.
"""

from __future__ import annotations

import re

from tasks.replay.formats.entry import BrokenLine, Entry, Format, target_of
from tasks.replay.formats.lines import by_line, json_object
from tasks.replay.formats.times import iso_seconds

_HEAD = re.compile(rb'\{(?=[^\n]*"type":\s*"(?:Metric|Point)")(?=[^\n]*"metric":)')


def parse(line: bytes) -> Entry | None:
    """Raises BrokenLine; None for a point of another kind."""
    point = json_object(line)
    if point.get("type") not in ("Metric", "Point"):
        raise BrokenLine("not of k6's JSON output: its type is neither Metric nor Point")
    if point["type"] == "Metric" or point.get("metric") != "http_req_duration":
        return None
    try:
        data, tags = point["data"], point["data"]["tags"]
        at_s = iso_seconds(data["time"]) - float(data["value"]) / 1000
        host, target = target_of(str(tags["url"]).encode("utf-8", "surrogatepass"))
        return Entry(at_s, str(tags["method"]), target, int(tags["status"]), host)
    except BrokenLine:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenLine(f"a request without its time, value, method, url or status: {error!r}") from error


FORMAT = Format("k6", "k6's JSON output", lambda head: bool(_HEAD.match(head)), by_line(parse))
