"""The shop's seed: a catalogue, carts, customers, orders and pictures, the same in every rehearsal.

All of it is drawn from one seed, so counts and hashes are known before anything is written.
"""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

SEED = 20160215
PRODUCTS = 2000
CUSTOMERS = 300
ORDERS = 400
CARTS = 120
THUMBNAILS = 160  # about 26 kB each, shown on the pages
LOOKBOOK = 40  # about 400 kB each, in the bucket only
FEATURED_EVERY = 60
FIRST_ORDER_AT = datetime(2015, 11, 1, 8, 0, 0)

_THINGS = ("mug", "kettle", "chair", "lamp", "blanket", "sweater", "mitten", "sled", "axe", "knife", "bowl",
           "basket", "candle", "clock", "bench", "rug", "scarf", "lantern", "thermos", "stool")  # fmt: skip
_MATERIALS = ("birch", "wool", "oak", "copper", "linen", "iron", "juniper", "leather", "slate", "pine")
_PLACES = ("Bergen", "Oslo", "Lofoten", "Geiranger", "Voss", "Flåm", "Røros", "Tromsø", "Svolvær", "Sogn")
_CATEGORIES = ("kitchen", "living room", "outdoors", "clothing")
_GIVEN = ("Kari", "Ola", "Ingrid", "Lars", "Solveig", "Per", "Astrid", "Nils", "Sigrid", "Jon")
_FAMILY = ("Hansen", "Berg", "Haugen", "Lie", "Moen", "Dahl", "Strand", "Bakke", "Vik", "Solberg")

Row = tuple[object, ...]


@dataclass(frozen=True)
class Picture:
    """One object of the bucket."""

    key: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The content's digest, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def search_words() -> tuple[str, ...]:
    """Words that customers search for; each finds products."""
    return _THINGS + _MATERIALS


def thumbnail_key(number: int) -> str:
    """The key of a thumbnail, 0 to THUMBNAILS - 1."""
    return f"img/{number:03d}.png"


def product_rows() -> list[Row]:
    """(id, sku, name, category, description, price_ore, stock, media_key, featured)."""
    draw = random.Random(SEED)  # noqa: S311 - the same catalogue every time, no secret
    rows: list[Row] = []
    for number in range(1, PRODUCTS + 1):
        thing, material, place = draw.choice(_THINGS), draw.choice(_MATERIALS), draw.choice(_PLACES)
        name = f"{place} {material} {thing} {number}"
        text = (
            f"A {thing} of {material}, made in {place}. It lasts for years, is mended when it breaks, "
            f"and comes in a box of recycled paper."
        )
        price_ore = 100 * draw.randrange(49, 2999) + 90
        rows.append(
            (number, f"FS-{number:05d}", name, draw.choice(_CATEGORIES), text, price_ore,
             draw.randrange(1, 500), thumbnail_key(number % THUMBNAILS), int(number % FEATURED_EVERY == 1))
        )  # fmt: skip
    return rows


def customer_rows() -> list[Row]:
    """(id, name, email): invented people with reserved addresses (RFC 2606)."""
    draw = random.Random(SEED + 1)  # noqa: S311 - as above
    rows: list[Row] = []
    for number in range(1, CUSTOMERS + 1):
        given, family = draw.choice(_GIVEN), draw.choice(_FAMILY)
        rows.append((number, f"{given} {family}", f"{given}.{family}.{number}@customer.example".lower()))
    return rows


def cart_rows() -> list[Row]:
    """(session, product_id, quantity): one to four lines a session."""
    draw = random.Random(SEED + 2)  # noqa: S311 - as above
    rows: list[Row] = []
    for number in range(CARTS):
        chosen = sorted(draw.sample(range(1, PRODUCTS + 1), draw.randrange(1, 5)))
        rows.extend((f"seed-{number:04d}", product, draw.randrange(1, 4)) for product in chosen)
    return rows


def order_rows() -> tuple[list[Row], list[Row]]:
    """Orders (id, token, session, customer_id, total_ore, site, placed_at) and their lines
    (order_id, product_id, quantity, price_ore)."""
    draw = random.Random(SEED + 3)  # noqa: S311 - as above
    prices = {row[0]: row[5] for row in product_rows()}
    orders: list[Row] = []
    lines: list[Row] = []
    for number in range(1, ORDERS + 1):
        total_ore = 0
        for product in sorted(draw.sample(range(1, PRODUCTS + 1), draw.randrange(1, 5))):
            price, quantity = prices[product], draw.randrange(1, 4)
            if not isinstance(price, int):
                raise TypeError(f"the price of product {product} is {price!r}")
            total_ore += price * quantity
            lines.append((number, product, quantity, price))
        at = FIRST_ORDER_AT + timedelta(minutes=97 * number)
        orders.append(
            (number, f"seed-{number:05d}", f"old-{number:05d}", draw.randrange(1, CUSTOMERS + 1), total_ore,
             "aws", at.isoformat(sep=" "))
        )  # fmt: skip
    return orders, lines


def pictures() -> Iterator[Picture]:
    """Every object of the bucket: real PNG files, their pixels drawn from the seed."""
    draw = random.Random(SEED + 4)  # noqa: S311 - as above
    for number in range(THUMBNAILS):
        yield Picture(thumbnail_key(number), _png(draw, draw.randrange(70, 115)))
    for number in range(LOOKBOOK):
        yield Picture(f"lookbook/{number:02d}.png", _png(draw, draw.randrange(330, 410)))


def _png(draw: random.Random, side: int) -> bytes:
    """An RGB PNG of side x side random pixels, stored without compression (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    row_bytes = 3 * side
    pixels = draw.randbytes(row_bytes * side)
    raw = b"".join(b"\0" + pixels[y * row_bytes : (y + 1) * row_bytes] for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 0)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
