"""What of a capture is replayed: methods, hosts, routes and rewrites."""

import pytest

from inventory.errors import BadInput
from tasks.replay.formats.entry import Entry
from tasks.replay.selection import Request, Selection, Selector


def picked(selection: Selection, target: str = "/old/a?b=1", **more: object) -> Request | None:
    entry = Entry(0.0, "GET", target)._replace(**more)
    return Selector(selection).pick(entry)


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (Selection(only=("^/old/",)), True),
        (Selection(only=("^/new/", "b=1$")), True),
        (Selection(only=("^/new/",)), False),
        (Selection(without=("^/old/",)), False),
        (Selection(only=("a",), without=("b=1",)), False),
        (Selection(hosts=("shop.example",)), True),
        (Selection(hosts=("shop.example:8080",)), True),
        (Selection(hosts=("cdn.example",)), False),
    ],
)
def test_routes_and_hosts(selection: Selection, kept: bool) -> None:
    assert (picked(selection, host="shop.example:8080") is not None) is kept


def test_rewrites_follow_each_other_and_stay_one_request_line() -> None:
    found = picked(Selection(rewrites=("^/old/=>/new/", r"a\?(.*)=>c?\1&x= y\r\n")))
    assert found is not None
    assert found.path == "/new/c?b=1&x=%20y%0D%0A"


@pytest.mark.parametrize(
    ("selection", "what"),
    [
        (Selection(rewrites=("^/old",)), "is not REGEX=>REPLACEMENT"),
        (Selection(rewrites=("^/=>",)), "makes 'old/a"),
        (Selection(rewrites=(r"^/=>/\3",)), "invalid group reference"),
        (Selection(only=("(",)), r"--only '\(' is not a regular expression"),
    ],
)
def test_mistakes_are_told(selection: Selection, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        picked(selection)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_unsafe_methods_want_an_opt_in_and_a_body(method: str) -> None:
    unsafe = Selection(unsafe=True)
    assert picked(Selection(), method=method, body=b"a=1") is None
    assert picked(unsafe, method=method, body=None) is None
    assert picked(unsafe, method=method, body=b"a=1") == Request(method, "/old/a?b=1", (), b"a=1")
    assert picked(unsafe, method="CONNECT", body=b"") is None


def test_headers_that_could_end_a_line_are_left_out() -> None:
    headers = (("Accept", "text/html"), ("Accept-Language", "nb\r\nX: y"), ("Connection", "close"))
    found = picked(Selection(), headers=headers)
    assert found is not None
    assert found.headers == (("accept", "text/html"),)
