"""OpenSSH's known_hosts: which keys, and which authorities' certificates, a host may show.

The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": hashed names, patterns, `!` and both markers.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from inventory.errors import BadInput

_MARKERS = ("", "@cert-authority", "@revoked")


@dataclass(frozen=True)
class Known:
    """What a host may show: these keys, or what these authorities vouch for; never what is revoked."""

    keys: tuple[paramiko.PKey, ...] = ()
    authorities: tuple[bytes, ...] = ()  # public keys in SSH's wire form
    revoked: tuple[bytes, ...] = ()


def read(path: Path, names: Sequence[str], port: int) -> Known:
    """What the file knows of a host by its names and addresses. Raises BadInput with file:line."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(f"known_hosts cannot be read: {said}", path) from None
    keys: list[paramiko.PKey] = []
    authorities: list[bytes] = []
    revoked: list[bytes] = []
    wanted = [name if port == 22 else f"[{name}]:{port}" for name in names]
    for number, (marker, patterns, kind, blob) in _lines(path, text):
        if not any(matches(patterns, name) for name in wanted):
            continue
        if marker == "@cert-authority":
            authorities.append(blob)
        elif marker == "@revoked":
            revoked.append(blob)
        else:
            try:
                keys.append(paramiko.PKey.from_type_string(kind, blob))
            except paramiko.pkey.UnknownKeyType:
                continue  # a kind that we do not speak; the host may show another
            except (paramiko.SSHException, ValueError, IndexError):
                raise BadInput("the key cannot be read", path, number) from None
    return Known(tuple(keys), tuple(authorities), tuple(revoked))


def matches(patterns: str, name: str) -> bool:
    """Whether a line's first field speaks of this name: hashed, or patterns of which a `!` one forbids."""
    if patterns.startswith("|1|"):
        return _hashed(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        # fnmatch knows [...] as well, OpenSSH does not: there it is the brackets of [host]:port.
        plain = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name.lower(), plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _hashed(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), hashlib.sha1), digest)


def _lines(path: Path, text: str) -> Iterator[tuple[int, tuple[str, str, str, bytes]]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if marker not in _MARKERS:
            allowed = " or ".join(filter(None, _MARKERS))
            raise BadInput(f"unknown marker {marker}; allowed: {allowed}", path, number)
        if len(words) < 3:
            raise BadInput("a line has names, the key's kind and the key", path, number)
        try:
            yield number, (marker, words[0], words[1], base64.b64decode(words[2], validate=True))
        except binascii.Error:
            raise BadInput("the key is not base64", path, number) from None
