"""A client's cookies: what is kept, for which path, and until when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.replay.cookies import MAX_BYTES, MAX_COOKIES, Jar

NOW_S = 1_800_000_000.0  # 15 January 2027


def jar(*fields: bytes, asked: bytes = b"/shop/cart", secure: bool = False) -> Jar:
    made = Jar("shop.example", secure=secure)
    for each in fields:
        assert made.set(each, asked, NOW_S), each
    return made


def test_set_renewed_and_forgotten() -> None:
    made = jar(b"sid=1; Path=/", b"theme = dark ;path=/; HttpOnly", b"sid=2;Path=/")
    assert made.header(b"/", NOW_S) == b"Cookie: sid=2; theme=dark\r\n"
    assert made.set(b"sid=; Path=/; Max-Age=0", b"/", NOW_S)
    assert made.header(b"/", NOW_S) == b"Cookie: theme=dark\r\n"
    assert made.set(b"theme=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", b"/", NOW_S)
    assert made.header(b"/", NOW_S) == b""


@pytest.mark.parametrize(
    ("field", "after_s", "kept"),
    [
        (b"a=1", 1e9, True),
        (b"a=1; Max-Age=60", 59, True),
        (b"a=1; Max-Age=60", 60, False),
        (b"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 59, True),
        (b"a=1; Max-Age=soon; Expires=Fri, 15 Jan 2027 08:00:10 GMT", 9, True),
        (b"a=1; Expires=Fri, 15-Jan-2027 08:00:10 GMT", 11, False),
        (b"a=1; Expires=whenever", 1e9, True),
        (b"a=1; Max-Age=-5", 0, False),
    ],
)
def test_how_long(field: bytes, after_s: float, kept: bool) -> None:
    assert (jar(field, asked=b"/").header(b"/", NOW_S + after_s) != b"") == kept


@pytest.mark.parametrize(
    ("path", "asked", "sent"),
    [
        (b"Path=/shop", b"/", [b"/shop", b"/shop/", b"/shop/a"]),
        (b"Path=/shop/", b"/", [b"/shop/", b"/shop/a"]),
        (b"", b"/shop/cart", [b"/shop", b"/shop/", b"/shop/a"]),  # the folder of what was asked
        (b"Path=shop", b"/cart", [b"/", b"/shop", b"/shop/", b"/shop/a", b"/shopping"]),
    ],
)
def test_for_which_paths(path: bytes, asked: bytes, sent: list[bytes]) -> None:
    made = jar(b"a=1; " + path, asked=asked)
    paths = (b"/", b"/shop", b"/shop/", b"/shop/a", b"/shopping")
    assert [each for each in paths if made.header(each, NOW_S)] == sent


def test_the_more_special_path_stands_first() -> None:
    made = jar(b"a=all; Path=/", b"a=shop; Path=/shop", b"b=1; Path=/")
    assert made.header(b"/shop/x", NOW_S) == b"Cookie: a=shop; a=all; b=1\r\n"


@pytest.mark.parametrize("domain", [b"shop.example", b".shop.example", b"Example", b""])
def test_domains_of_the_host(domain: bytes) -> None:
    assert jar(b"a=1; Path=/; Domain=" + domain).header(b"/", NOW_S)


@pytest.mark.parametrize(
    "field",
    [
        *(b"", b"=1", b"novalue", b"a=1; Domain=other.example", b"a=1; Domain=hop.example"),
        *(b"a=1; Secure", b"a=" + b"x" * MAX_BYTES),
    ],
)
def test_what_a_browser_refuses(field: bytes) -> None:
    made = Jar("shop.example", secure=False)
    assert not made.set(field, b"/", NOW_S)
    assert made.header(b"/", NOW_S) == b""


def test_secure_over_tls() -> None:
    assert jar(b"a=1; Secure", secure=True, asked=b"/").header(b"/", NOW_S)


def test_no_more_than_a_browser_holds() -> None:
    made = jar(*(b"c%d=1; Path=/" % n for n in range(MAX_COOKIES)))
    assert not made.set(b"more=1; Path=/", b"/", NOW_S)
    assert made.set(b"c0=2; Path=/", b"/", NOW_S)
    assert made.header(b"/", NOW_S).count(b"=") == MAX_COOKIES


@given(st.binary(max_size=200).filter(lambda raw: not {10, 13} & set(raw)))
def test_any_field_is_kept_or_refused(field: bytes) -> None:
    """The parser gives no line ends; nothing else may end the header line, either."""
    made = Jar("shop.example", secure=True)
    kept = made.set(field, b"/", NOW_S)
    header = made.header(b"/", NOW_S)
    assert not header or (kept and header.startswith(b"Cookie: ") and header.count(b"\n") == 1)
