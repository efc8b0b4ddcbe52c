"""The stand-alone verifier's own Ed25519 and canonical JSON against published vectors and the libraries."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger import verifier

# RFC 8032 section 7.1: (public key, message, signature).
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd2"
        "5bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c38"
        "7b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a"
        "7c15e9716ed28dc027beceea1ec40a",
    ),
]


def test_rfc_8032_vectors() -> None:
    for public, message, signature in VECTORS:
        parts = bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message)
        assert verifier.ed25519_verifies(*parts)
        assert not verifier.ed25519_verifies(parts[0], parts[1], parts[2] + b"x")


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_ed25519_agrees_with_the_library(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    signature = private.sign(message)
    public = private.public_key().public_bytes_raw()
    assert verifier.ed25519_verifies(public, signature, message)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not verifier.ed25519_verifies(public, bytes(flipped), message)


def test_a_signature_has_one_form() -> None:
    public, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    s = int.from_bytes(signature[32:], "little") + verifier.Q  # the same point by another number
    assert not verifier.ed25519_verifies(public, signature[:32] + s.to_bytes(32, "little"), message)


def test_rfc_8785_numbers() -> None:
    # Appendix B of RFC 8785.
    expected = {
        0.0: "0",
        5e-324: "5e-324",
        -5e-324: "-5e-324",
        1.7976931348623157e308: "1.7976931348623157e+308",
        9007199254740992.0: "9007199254740992",
        295147905179352830000.0: "295147905179352830000",
        9.999999999999997e22: "9.999999999999997e+22",
        1e23: "1e+23",
        999999999999999700000.0: "999999999999999700000",
        1e21: "1e+21",
        9.999999999999997e-7: "9.999999999999997e-7",
        0.000001: "0.000001",
        333333333.3333332: "333333333.3333332",
        -0.0000033333333333333333: "-0.0000033333333333333333",
        1424953923781206.2: "1424953923781206.2",
    }
    assert {number: verifier.canonical(number).decode() for number in expected} == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_agrees_with_the_library(value: Any) -> None:
    written = rfc8785.dumps(value)
    assert verifier.canonical(json.loads(written)) == written


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
