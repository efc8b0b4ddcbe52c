"""What of a capture is replayed, and as what: methods, hosts, routes, rewrites, headers, scrubbing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from inventory.errors import BadInput
from tasks.replay.formats.entry import ALLOWED_IN_TARGET, Entry, Headers
from tasks.replay.scrub import SECRET_HEADERS, scrubbed, scrubbed_body, scrubbed_text

SAFE_METHODS = frozenset({"GET", "HEAD"})  # replaying them changes nothing at the shop
UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# What changes an answer. Others belong to the browser's connection, or are set by the replay itself.
KEPT_HEADERS = frozenset({"accept", "accept-language", "content-type", "x-requested-with"}) | SECRET_HEADERS
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_REWRITE = "=>"
_REMEMBERED = 1 << 16


class Request(NamedTuple):
    """One distinct request; `path` has its query."""

    method: str
    path: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Selection:
    """`only` and `without` are regular expressions that are searched in path and query (one of `only` must be
    found, none of `without`), `rewrites` are `REGEX=>REPLACEMENT`, applied in order after them.

    `hosts`: where a capture names hosts, only these. `unsafe`: POST, PUT, PATCH and DELETE too, where the
    capture has bodies; they change the target. `scrub` off replays secrets and personal data as recorded.
    `sessions`: each client of the capture is one, with the cookies that the target sets; the recorded ones
    are never sent.
    """

    hosts: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    unsafe: bool = False
    scrub: bool = True
    sessions: bool = False

    def told(self) -> dict[str, Any]:
        """For result.json."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


class Selector:
    """Applies a selection. Raises BadInput for what is no regular expression."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._only = [_compiled("--only", text) for text in selection.only]
        self._without = [_compiled("--without", text) for text in selection.without]
        self._rewrites = [_rewrite(text) for text in selection.rewrites]
        self._path = lru_cache(_REMEMBERED)(self._path_of)

    def pick(self, entry: Entry) -> Request | None:
        """The request of an entry, or None where it is not replayed."""
        method, target, body, selection = entry.method, entry.target, entry.body, self._selection
        if target is None or (selection.hosts and not self._named(entry.host)):
            return None
        if method in SAFE_METHODS:
            body = b""
        elif body is None or not (selection.unsafe and method in UNSAFE_METHODS):
            return None
        path = self._path(target)
        if path is None:
            return None
        if not entry.headers and not body:
            return Request(method, path, (), b"")
        return Request(
            method, path, self._headers(entry.headers), scrubbed_body(body) if selection.scrub else body
        )

    def _named(self, host: str) -> bool:
        return host in self._selection.hosts or host.partition(":")[0] in self._selection.hosts

    def _path_of(self, target: str) -> str | None:
        path = scrubbed(target) if self._selection.scrub else target
        if self._only and not any(regex.search(path) for regex in self._only):
            return None
        if any(regex.search(path) for regex in self._without):
            return None
        for regex, replacement in self._rewrites:
            try:
                path = quote(regex.sub(replacement, path), safe=ALLOWED_IN_TARGET)
            except (re.error, IndexError) as error:
                raise BadInput(f"--rewrite {regex.pattern}{_REWRITE}{replacement}: {error}") from error
            if not path.startswith("/"):
                raise BadInput(
                    f"--rewrite {regex.pattern}{_REWRITE}{replacement} makes {path!r} of {target!r}"
                )
        return path

    def _headers(self, headers: Headers) -> Headers:
        kept = []
        for name, value in headers:
            lower = name.lower()
            if lower not in KEPT_HEADERS or not _PRINTABLE.fullmatch(value):
                continue
            if lower == "cookie" and self._selection.sessions:
                continue
            if not self._selection.scrub:
                kept.append((lower, value))
            elif lower not in SECRET_HEADERS:
                kept.append((lower, scrubbed_text(value)))
        return tuple(kept)


def _compiled(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadInput(f"{option} {text!r} is not a regular expression: {error}") from error


def _rewrite(text: str) -> tuple[re.Pattern[str], str]:
    pattern, arrow, replacement = text.partition(_REWRITE)
    if not arrow or not pattern:
        raise BadInput(f"--rewrite {text!r} is not REGEX=>REPLACEMENT, as '^/old/=>/new/'")
    return _compiled("--rewrite", pattern), replacement
