"""The ledger's Ed25519 key: a 0600 PEM file made at first use, and the C2SP verifier key beside it.

A verifier key is one line `NAME+HASH+BASE64(01 || public key)`, HASH being the first four bytes (hex) of
SHA-256(NAME || 0A || 01 || public key): C2SP signed-note. The name is also the origin of the checkpoints.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from inventory.errors import BadInput

ED25519 = b"\x01"  # signature type bytes of C2SP signed-note
COSIGNATURE = b"\x04"
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class PublicKey:
    """A named Ed25519 public key; `raw` is its 32 bytes, `kind` the signature type byte."""

    name: str
    raw: bytes
    kind: bytes = ED25519

    @property
    def key_hash(self) -> bytes:
        """The four bytes that a signature line carries."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.raw).digest()[:4]

    @property
    def keyid(self) -> str:
        """The DSSE key id: SHA-256 (hex) of the raw key."""
        return hashlib.sha256(self.raw).hexdigest()

    def line(self) -> str:
        """The verifier key, without a newline."""
        encoded = base64.b64encode(self.kind + self.raw).decode()
        return f"{self.name}+{self.key_hash.hex()}+{encoded}"

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Read a verifier key. Raises ValueError where it is not one, to the byte."""
        match = _VKEY.fullmatch(line)
        if match is None:
            raise ValueError("not a verifier key (NAME+HASH+KEY)")
        data = base64.b64decode(match[3], validate=True)
        key = cls(match[1], data[1:], data[:1])
        if len(data) != 33 or key.kind not in (ED25519, COSIGNATURE) or key.line() != line:
            raise ValueError("not an Ed25519 verifier key, or its hash is wrong")
        return key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the key's holder signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A private key and its name. It never shows itself."""

    def __init__(self, name: str, private: Ed25519PrivateKey, kind: bytes = ED25519) -> None:
        self._private = private
        raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = PublicKey(name, raw, kind)

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519."""
        return self._private.sign(message)

    @classmethod
    def load(cls, path: Path, name: str, kind: bytes = ED25519) -> SigningKey:
        """Read a PEM file. Raises BadInput where others may read it or it holds no Ed25519 key."""
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadInput(f"others may read this signing key; run: chmod 600 {path}", path)
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise BadInput(f"not a private key in PEM: {error}", path) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise BadInput(f"holds a {type(private).__name__}; an Ed25519 key is needed", path)
        return cls(name, private, kind)

    @classmethod
    def create(cls, path: Path, name: str, kind: bytes = ED25519) -> SigningKey:
        """Make a key and write it, 0600, durably. Raises FileExistsError rather than replace one."""
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        return cls(name, private, kind)


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file atomically: temporary name, fsync, rename, fsync of the folder."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
