"""Who sent an entry of a capture: its session cookie, or else its address.

Only a number of each client is kept, and nothing of either is written or sent.
"""

from __future__ import annotations

from array import array

import xxhash

from tasks.replay.formats.entry import Entry
from tasks.replay.scrub import is_secret_name

MAX_CLIENTS = 5_000_000


class Clients:
    """Numbers clients from 0, in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: array[int] = array("I")
        self._known: dict[int, int] = {}

    def add(self, entry: Entry) -> None:
        """Raises ValueError for an entry of nobody, or too many clients."""
        name = client_of(entry)
        if not name:
            raise ValueError(
                "no client in it, neither an address nor a cookie; --sessions needs a capture that tells them"
            )
        self.numbers.append(
            self._known.setdefault(
                xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")), len(self._known)
            )
        )
        if len(self._known) > MAX_CLIENTS:
            raise ValueError(f"more than {MAX_CLIENTS} clients; split the capture")


def client_of(entry: Entry) -> str:
    """The first cookie with the name of a session's, or all of them; without cookies the address."""
    for name, value in entry.headers:
        if name.lower() == "cookie" and value:
            pairs = [pair.strip() for pair in value.split(";")]
            return next((pair for pair in pairs if is_secret_name(pair.partition("=")[0])), value)
    return entry.client
