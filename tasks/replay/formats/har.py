"""HTTP archive (HAR 1.2), as a browser saves it: one JSON document, read whole, so bounded in size.

An entry's number is its place in `log.entries`, from 1. Entries of several hosts are usual (a page asks
others too): `--host` names the one that is replayed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import urlencode

from tasks.replay.formats.entry import BrokenLine, Entry, Format, Numbered, target_of
from tasks.replay.formats.times import iso_seconds

MAX_BYTES = 256 * 1024 * 1024
_CLIENT = "browser"  # all entries are of the one that saved them
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:')


def parse(entry: Any) -> Entry:
    """Raises BrokenLine."""
    try:
        request = entry["request"]
        at_s = iso_seconds(entry["startedDateTime"])
        headers = tuple((str(h["name"]), str(h["value"])) for h in request.get("headers", ()))
        status = int(entry.get("response", {}).get("status", 0))
        host, target = target_of(request["url"].encode("utf-8", "surrogatepass"))
        body = _body(request.get("postData") or {})
        if not 0 <= status <= 999:
            raise BrokenLine(f"{status} is not a status")
        return Entry(at_s, str(request["method"]), target, status, host, headers, body, _CLIENT)
    except BrokenLine:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenLine(f"an entry without what a request needs: {error!r}") from error


def _body(post: dict[str, Any]) -> bytes:
    if "text" in post:
        return str(post["text"]).encode("utf-8", "surrogatepass")
    return urlencode([(p["name"], p.get("value", "")) for p in post.get("params", ())]).encode()


def _entries(stream: BinaryIO) -> Iterator[Numbered]:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        yield (
            1,
            BrokenLine(
                f"a HAR file above {MAX_BYTES // 2**20} MiB; save fewer requests, or no answers' bodies"
            ),
        )
        return
    try:
        entries = json.loads(content.decode("utf-8-sig"))["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError("log.entries is not a list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        yield getattr(error, "lineno", 1), BrokenLine(f"not a HAR file: {error}")
        return
    for number, entry in enumerate(entries, start=1):
        try:
            yield number, parse(entry)
        except BrokenLine as error:
            yield number, BrokenLine(f"entry {number}: {error}")


FORMAT = Format("har", "HTTP archive of a browser", lambda head: bool(_HEAD.match(head)), _entries)
