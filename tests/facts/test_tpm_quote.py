"""Quotes that swtpm made (tests/data/tpm), read; what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.facts.tpm_quote import Quote, attested, parse

DATA = Path(__file__).parents[1] / "data" / "tpm"
RSA = (DATA / "quote-rsa.txt").read_text()
NONCE = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_a_quote_says_whose_nonce_it_answers_and_what_was_measured() -> None:
    said = attested(parse(RSA).message)
    assert said.nonce == NONCE
    assert said.pcr_digest.hex().startswith("5341e6b2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("untold tpm2_quote is not installed\n", Quote(untold="tpm2_quote is not installed")),
        ("other\n", Quote(other=True)),
    ],
)
def test_where_there_is_none_it_is_said(text: str, expected: Quote) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "key AAAA\n", RSA.replace("signature ", "signature !")])
def test_half_a_quote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@given(st.integers(0, len(parse(RSA).message) - 1))
def test_a_quote_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"quote"):
        attested(parse(RSA).message[:length])


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"quote"):
        attested(message)
    with pytest.raises(ValueError, match=r"after its end"):
        attested(parse(RSA).message + b"x" + message)
