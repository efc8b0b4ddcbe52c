import struct
import zlib

from rehearsal.services import catalogue


def test_the_catalogue_is_the_same_every_time_and_has_the_announced_counts() -> None:
    products = catalogue.product_rows()
    assert products == catalogue.product_rows()
    assert len(products) == catalogue.PRODUCTS == 2000
    assert [row[0] for row in products] == list(range(1, 2001))
    assert len({row[1] for row in products}) == 2000
    assert len(catalogue.customer_rows()) == 300
    assert len({row[2] for row in catalogue.customer_rows()}) == 300
    assert sum(row[-1] for row in products if isinstance(row[-1], int)) >= 24, "the front page is full"


def test_an_order_costs_what_its_lines_cost() -> None:
    orders, lines = catalogue.order_rows()
    assert len(orders) == catalogue.ORDERS
    sums: dict[object, int] = {}
    for order, _, quantity, price in lines:
        assert isinstance(quantity, int) and isinstance(price, int)
        sums[order] = sums.get(order, 0) + quantity * price
    assert sums == {order[0]: order[4] for order in orders}
    assert len({order[1] for order in orders}) == len(orders)


def test_pictures_are_real_and_their_hashes_known() -> None:
    pictures = list(catalogue.pictures())
    assert len(pictures) == 200
    assert 18_000_000 < sum(len(picture.content) for picture in pictures) < 22_000_000
    assert pictures[0].sha256 == next(iter(catalogue.pictures())).sha256
    keys = {picture.key for picture in pictures}
    assert {row[7] for row in catalogue.product_rows()} <= keys
    for picture in pictures[:5]:
        assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", picture.content[16:24])
        body = picture.content.index(b"IDAT")
        length = struct.unpack(">I", picture.content[body - 4 : body])[0]
        data = picture.content[body + 4 : body + 4 + length]
        assert struct.unpack(">I", picture.content[body + 4 + length :][:4])[0] == zlib.crc32(b"IDAT" + data)
        assert len(zlib.decompress(data)) == height * (1 + 3 * width)


def test_every_word_that_customers_search_for_finds_something() -> None:
    names = " ".join(str(row[2]) for row in catalogue.product_rows())
    assert all(word in names for word in catalogue.search_words())
