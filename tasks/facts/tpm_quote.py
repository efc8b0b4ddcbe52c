"""A quote by a host's TPM 2.0: what it has measured, and our nonce, signed by a key that never leaves it.

Asked with the programs of tpm2-tools. The structures are those of the TPM 2.0 library, part 2 (TPMS_ATTEST).
"""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# Of the measurements those that the firmware takes, up to the boot loader and the state of Secure Boot.
_PROGRAM = """
for program in tpm2_getcap tpm2_readpublic tpm2_quote; do
  command -v "$program" > /dev/null || { echo "untold $program is not installed"; exit 0; }
done
[ -e /dev/tpmrm0 ] || [ -n "$TPM2TOOLS_TCTI" ] || { echo 'untold there is no TPM 2.0'; exit 0; }
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder" || exit 1
tpm2_getcap handles-persistent > handles || exit 1
while read -r _ handle; do
  tpm2_readpublic -Q -c "$handle" -f der -o key 2> /dev/null || continue
  [ "$(sha256sum < key | cut -d ' ' -f 1)" = "$1" ] || continue
  tpm2_quote -Q -c "$handle" -l sha256:0,1,2,3,4,5,6,7 -q "$2" -m message -s signature -f plain || exit 1
  for part in key message signature; do echo "$part $(base64 -w 0 "$part")"; done
  exit 0
done < handles
echo other
"""
_MAGIC, _QUOTE = 0xFF544347, 0x8018


@dataclass(frozen=True)
class Attested:
    """What the signed message says: whose nonce, and the digest over the chosen measurements."""

    nonce: bytes
    pcr_digest: bytes


@dataclass(frozen=True)
class Quote:
    """`key` is a SubjectPublicKeyInfo (DER); `untold`: why there is no quote; `other`: it has not the key."""

    key: bytes = b""
    message: bytes = b""
    signature: bytes = b""
    untold: str = ""
    other: bool = False


def command(key_sha256: str, nonce: str) -> Shellable:
    """Ask for a quote by the key with this digest (hex, of its DER) over a nonce (hex)."""
    return Script.of(_PROGRAM, key_sha256, nonce)


def parse(output: str) -> Quote:
    """Raises ValueError where a part is missing, or no base64."""
    lines = {name: rest for name, _, rest in (line.partition(" ") for line in output.splitlines())}
    if "untold" in lines:
        return Quote(untold=lines["untold"])
    if "other" in lines:
        return Quote(other=True)
    missing = {"key", "message", "signature"} - lines.keys()
    if missing:
        raise ValueError(f"a quote without its {', '.join(sorted(missing))}")
    key, message, signature = (b64decode(lines[n], validate=True) for n in ("key", "message", "signature"))
    return Quote(key, message, signature)


def ask(key_sha256: str, nonce: str) -> Asked[Quote]:
    """The question."""
    return Asked("TPM quote", command(key_sha256, nonce), parse)


def attested(message: bytes) -> Attested:
    """A TPMS_ATTEST of a quote. Raises ValueError for anything else, also with bytes after its end."""
    try:
        magic, kind = struct.unpack_from(">IH", message)
        if (magic, kind) != (_MAGIC, _QUOTE):
            raise ValueError("no quote of a TPM")
        _, at = _sized(message, 6)  # the name of the key, which the signature is checked with
        nonce, at = _sized(message, at)
        at += 8 + 4 + 4 + 1 + 8  # clock, resets, restarts, whether these are sure, firmware's version
        (banks,) = struct.unpack_from(">I", message, at)
        at += 4
        for _ in range(banks):
            _, size = struct.unpack_from(">HB", message, at)
            at += 3 + int(size)
        digest, at = _sized(message, at)
    except struct.error as error:
        raise ValueError("a quote that is cut off") from error
    if at != len(message):
        raise ValueError("a quote with something after its end")
    return Attested(nonce, digest)


def _sized(message: bytes, at: int) -> tuple[bytes, int]:
    """A TPM2B: its bytes, and where what follows begins."""
    (size,) = struct.unpack_from(">H", message, at)
    return struct.unpack_from(f">{size}s", message, at + 2)[0], at + 2 + size
