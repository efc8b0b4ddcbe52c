"""The cookies that a target sets in its answers, kept for one client as a browser keeps them (RFC 6265)."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import inf

MAX_COOKIES = 50  # a client; RFC 6265, 6.1: what a browser holds of one domain at least
MAX_BYTES = 4096  # a cookie with its attributes, by the same


@dataclass(frozen=True, slots=True)
class _Cookie:
    pair: bytes  # NAME=VALUE
    path: bytes
    until_s: float  # of the epoch

    def fits(self, path: bytes) -> bool:
        """RFC 6265, 5.1.4."""
        mine = self.path
        return path.startswith(mine) and (
            len(path) == len(mine) or mine.endswith(b"/") or path[len(mine)] == 47  # "/"
        )


class Jar:
    """One client's cookies of one host. `secure`: whether they travel over TLS."""

    def __init__(self, host: str, *, secure: bool) -> None:
        self._host, self._secure = host.lower().encode(), secure
        self._cookies: dict[tuple[bytes, bytes], _Cookie] = {}

    def set(self, field: bytes, asked: bytes, now_s: float) -> bool:
        """Keeps, replaces or forgets what a Set-Cookie field says, in the answer to the path `asked`.

        False where a browser would refuse it: no name, too large or many, another host's, Secure without TLS.
        """
        first, *rest = field.split(b";")
        name, equals, value = (part.strip() for part in first.partition(b"="))
        attributes = {
            key.strip().lower(): value.strip() for key, _, value in (each.partition(b"=") for each in rest)
        }
        refused = (
            *(not name, not equals, len(field) > MAX_BYTES),
            b"secure" in attributes and not self._secure,
            not self._of_this_host(attributes.get(b"domain", b"")),
        )
        if any(refused):
            return False
        path = attributes.get(b"path", b"")
        if not path.startswith(b"/"):
            path = asked[: max(asked.rfind(b"/"), 1)]
        key, until_s = (name, path), _until(attributes, now_s)
        if until_s <= now_s:
            self._cookies.pop(key, None)
            return True
        if key not in self._cookies and len(self._cookies) >= MAX_COOKIES:
            return False
        self._cookies[key] = _Cookie(name + b"=" + value, path, until_s)
        return True

    def header(self, path: bytes, now_s: float) -> bytes:
        """The Cookie line of a request for this path, with its end; empty where it takes none."""
        taken = [each for each in self._cookies.values() if each.until_s > now_s and each.fits(path)]
        if not taken:
            return b""
        taken.sort(key=lambda each: -len(each.path))  # the more special first, and older before newer ones
        return b"Cookie: " + b"; ".join(each.pair for each in taken) + b"\r\n"

    def _of_this_host(self, domain: bytes) -> bool:
        domain = domain.lower().lstrip(b".")
        return not domain or self._host == domain or self._host.endswith(b"." + domain)


def _until(attributes: dict[bytes, bytes], now_s: float) -> float:
    """Max-Age wins over Expires; one that cannot be read does not count."""
    age = attributes.get(b"max-age", b"")
    if age.removeprefix(b"-").isdigit():
        return now_s + int(age[:12])
    if (date := attributes.get(b"expires")) is not None:
        try:
            return parsedate_to_datetime(date.decode("latin-1")).timestamp()
        except (ValueError, OverflowError):
            return inf
    return inf
