"""Scrubbing, by planting: whatever is planted in a capture is in no byte that would be sent."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.replay.capture import read_capture
from tasks.replay.job import wires_of
from tasks.replay.national_id import is_national_id
from tasks.replay.payment_card import is_payment_card
from tasks.replay.plan import at_rate
from tasks.replay.scrub import scrubbed, scrubbed_body
from tasks.replay.selection import Selection
from tasks.replay.target_url import Endpoint

# Numbers of the Norwegian authorities' test persons have a month that is 80 higher; none is anyone's.
TEST_PERSON = "13816390030"
CARD = "4111111111111111"  # the networks' own number for tests
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLXBhcnQ"
PLANTED = {
    "authorization": "Bearer q8rT-secret-bearer-91",
    "cookie": "sid=cookie-secret-77",
    "e-mail": "kari.nordmann+shop@post.example.no",
    "encoded e-mail": "ola%40fjord.example",
    "token": JWT,
    "key": "AKIAIOSFODNN7EXAMPLE",
    "national id": TEST_PERSON,
    "password": "hunter2-hunter2",
    "card": CARD,
}


def sent(file: Path, selection: Selection) -> bytes:
    plan = at_rate(read_capture(file, selection=selection), 1.0)
    return b"\n".join(wires_of(plan, Endpoint("http://a", False, "a", "a", "127.0.0.1", 1)))


def planted(tmp_path: Path) -> Path:
    """A HAR file with each secret in every place that it can have."""

    def entry(method: str, url: str, body: str) -> dict[str, object]:
        return {
            "startedDateTime": "2026-02-01T10:00:00Z",
            "request": {
                "method": method,
                "url": url,
                "headers": [
                    {"name": "Authorization", "value": PLANTED["authorization"]},
                    {"name": "COOKIE", "value": PLANTED["cookie"]},
                    {"name": "X-Requested-With", "value": f"app {PLANTED['e-mail']} {TEST_PERSON}"},
                    {"name": "X-Api-Key", "value": PLANTED["key"]},
                    {"name": "Content-Type", "value": "text/plain"},
                ],
                "postData": {"text": body},
            },
        }

    entries = []
    for secret in PLANTED.values():
        url = secret.replace(" ", "%20")
        entries.append(entry("GET", f"https://a/account/{url}/orders", ""))
        entries.append(entry("GET", f"https://a/search?q={url}&token={url}&page=7", ""))
        entries.append(entry("POST", "https://a/form", f"q={url}&password={url}&page=7"))
        entries.append(
            entry("POST", "https://a/json", json.dumps({"q": secret, "password": secret, "page": 7}))
        )
    for url in ("hunter2-hunter2", "cookie-secret-77"):  # by their names only; no form gives them away
        entries = [e for e in entries if f"account/{url}" not in str(e) and f"q={url}" not in str(e)]
    file = tmp_path / "planted.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    return file


def test_nothing_that_was_planted_is_sent(tmp_path: Path) -> None:
    file = planted(tmp_path)
    wires = sent(file, Selection(unsafe=True))
    bearer, cookie = b"q8rT-secret-bearer-91", b"cookie-secret-77"
    for name in ("e-mail", "encoded e-mail", "token", "key", "national id", "card"):
        assert PLANTED[name].encode() not in wires, name
    for header in (b"Authorization", b"Cookie", b"X-Api-Key"):
        assert header not in wires
    assert b"password=hunter2" not in wires
    assert b"token=" not in wires
    assert wires.count(b"page=7") >= 4  # what is no secret stays
    raw = sent(file, Selection(unsafe=True, scrub=False))
    assert bearer in raw
    assert cookie in raw
    assert TEST_PERSON.encode() in raw  # so the search above can find what it looks for


@pytest.mark.parametrize(
    ("target", "after"),
    [
        ("/m/a?X-Amz-Signature=abc&w=2&Token=x", "/m/a?w=2"),
        ("/m/a?sig=abc", "/m/a"),
        ("/search?q=token", "/search?q=token"),
        ("/a;jsessionid=0123ABC?w=2", "/a?w=2"),
        (f"/kunde/{TEST_PERSON}", "/kunde/00000000000"),
        (f"/kunde?q=%22{TEST_PERSON}%22", "/kunde?q=%2200000000000%22"),
        (f"/kunde?q={TEST_PERSON[:6]}%20{TEST_PERSON[6:]}", "/kunde?q=00000000000"),
        ("/order/13816390031", "/order/13816390031"),  # a check digit is wrong: an order number
        (f"/order/1{TEST_PERSON}", f"/order/1{TEST_PERSON}"),  # twelve digits
        ("/media/a@2x.png", "/media/a@2x.png"),
        ("/npm/vue@3.2.1/dist", "/npm/vue@3.2.1/dist"),
        ("/u/a.b@fjord.example/x", "/u/scrubbed@example.invalid/x"),
        ("/a?user%5Bpassword%5D=x&accessToken=y&q=1", "/a?q=1"),
        ("/a?filter[code]=no&q=1", "/a?filter[code]=no&q=1"),
        (f"/pay?n={CARD}", "/pay?n=0000000000000000"),
        ("/pay?n=%204111%201111%201111%201111%2012%2027", "/pay?n=%200000000000000000%2012%2027"),
        ("/pay/4111111111111112", "/pay/4111111111111112"),  # its check digit is wrong
        ("/product/4006381333931", "/product/4006381333931"),  # a bar code
    ],
)
def test_targets(target: str, after: str) -> None:
    assert scrubbed(target) == after


@given(st.binary(max_size=200))
def test_scrubbing_a_body_twice_changes_nothing_more(body: bytes) -> None:
    once = scrubbed_body(body)
    assert scrubbed_body(once) == once


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"user[password]=a&new_password=b&n=1", b"user[password]=scrubbed&new_password=scrubbed&n=1"),
        (b"card=3782+822463+10005&cvc=1234&n=1", b"card=000000000000000&cvc=scrubbed&n=1"),
        (
            b'{"refreshToken": "a", "newPassword":"b"}',
            b'{"refreshToken": "scrubbed", "newPassword":"scrubbed"}',
        ),
        (b'{"n": "4111-1111-1111-1111", "m": 1}', b'{"n": "0000000000000000", "m": 1}'),
    ],
)
def test_bodies(body: bytes, after: bytes) -> None:
    assert scrubbed_body(body) == after


@given(st.integers(0, 10**16 - 1))
def test_the_check_digit_of_a_card_finds_every_single_wrong_digit(number: int) -> None:
    digits = f"4{number:016d}"[:16]
    for place in range(1, 16):
        other = digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1 :]
        assert not (is_payment_card(digits) and is_payment_card(other))


def test_one_in_some_twenty_numbers_of_sixteen_digits_has_the_form_of_a_card() -> None:
    numbers = range(10**15, 10**16, 8_999_999_999_9)
    share = sum(is_payment_card(str(number)) for number in numbers) / len(numbers)
    assert 1 / 30 < share < 1 / 15


def test_a_body_without_secrets_stays_byte_for_byte() -> None:
    for body in (b'{"item": 7, "note": "takk"}', b"item=7&count=2", bytes(range(256)), b"<a b='c'/>"):
        assert scrubbed_body(body) == body


@given(st.integers(0, 99_999_999_999))
def test_few_numbers_of_eleven_digits_are_taken_for_a_person(number: int) -> None:
    digits = f"{number:011d}"
    if is_national_id(digits):
        for place in range(11):  # the check digits find every single wrong digit
            other = str((int(digits[place]) + 1) % 10)
            assert not is_national_id(digits[:place] + other + digits[place + 1 :])


def test_one_in_some_hundred_order_numbers_has_the_form_of_a_person() -> None:
    numbers = range(10_000_000_000, 99_999_999_999, 899_999)
    share = sum(is_national_id(str(number)) for number in numbers) / len(numbers)
    assert 0 < share < 1 / 200
