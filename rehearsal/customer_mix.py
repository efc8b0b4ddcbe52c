"""What the rehearsal's customers do: mostly looking, some carts, a tenth checkouts. Pure, seeded."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from rehearsal.services.catalogue import PRODUCTS, THUMBNAILS, search_words, thumbnail_key

# Share of each kind of request, in percent.
SHARES = {"product": 45, "front": 12, "search": 10, "picture": 8, "cart": 5, "put": 10, "checkout": 10}


@dataclass(frozen=True)
class Request:
    """One request to make. `token` is set for checkouts, `session` for everything about a cart."""

    method: str
    path: str
    form: bytes = b""
    session: str = ""
    token: str = ""


def look(kind: str, draw: random.Random) -> Request:
    """A request of a kind that needs no session: product, front, search or picture."""
    if kind == "product":
        return Request("GET", f"/product/{draw.randint(1, PRODUCTS)}")
    if kind == "search":
        return Request("GET", f"/search?q={quote(draw.choice(search_words()))}")
    if kind == "picture":
        return Request("GET", f"/media/{thumbnail_key(draw.randrange(THUMBNAILS))}")
    return Request("GET", "/")


class Mix:
    """Decides the next request. A checkout is made only for a cart that the shop has confirmed; where none
    waits, the customer looks at the front page instead.

    `run` makes sessions and tokens unique between runs against the same database.
    """

    def __init__(self, seed: int, run: str) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - a repeatable mix, no secret
        self._run = run
        self._number = 0
        self._full: deque[str] = deque()

    def next(self) -> Request:
        """The next request."""
        kind = self._draw.choices(list(SHARES), list(SHARES.values()))[0]
        if kind == "put":
            self._number += 1
            session = f"{self._run}-s{self._number}"
            form = {
                "session": session,
                "product": str(self._draw.randint(1, PRODUCTS)),
                "quantity": str(self._draw.randint(1, 3)),
            }
            return Request("POST", "/cart", urlencode(form).encode(), session)
        if kind == "checkout" and self._full:
            session = self._full.popleft()
            token = f"{session}-t"
            form = {"session": session, "token": token}
            return Request("POST", "/checkout", urlencode(form).encode(), session, token)
        if kind == "cart" and self._full:
            return Request("GET", f"/cart/{self._full[0]}", session=self._full[0])
        return look(kind, self._draw)

    def confirmed(self, session: str) -> None:
        """The shop has put something into this session's cart."""
        self._full.append(session)
