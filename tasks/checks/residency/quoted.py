"""Whether a quote is what it should be: by the stated key, over our nonce, and signed."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tasks.facts.tpm_quote import Attested, Quote, attested


def verified(quote: Quote, key_sha256: str, nonce: bytes) -> Attested:
    """What the quote attests. Raises ValueError, saying what is wrong with it."""
    if hashlib.sha256(quote.key).hexdigest() != key_sha256:
        raise ValueError("it is by another key than the stated one")
    key = load_der_public_key(quote.key)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(quote.signature, quote.message, PKCS1v15(), SHA256())
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(quote.signature, quote.message, ECDSA(SHA256()))
        else:
            raise ValueError("its key is neither RSA (rsassa, sha256) nor ECDSA (sha256)")
    except InvalidSignature:
        raise ValueError("its signature does not verify") from None
    said = attested(quote.message)
    if said.nonce != nonce:
        raise ValueError("it answers another nonce than ours: it is an old one, or another's")
    return said
