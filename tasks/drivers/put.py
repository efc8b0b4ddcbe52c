"""How a file is put in place on a host: whole or not at all, and on the disk when the command has ended."""

from __future__ import annotations

import hashlib

from inventory.models.command import Script

# $1 path, $2 mode, $3 SHA-256, $4 the program that unpacks, $5 the one that digests. A content cut short by a
# lost connection has the wrong digest and is not put in place.
_PUT = """
set -eu
folder=${1%/*}/
[ -d "$folder" ] || mkdir -p "$folder"
part=$(mktemp "$1.XXXXXX")
trap 'rm -f "$part"' EXIT
$4 > "$part"
said=$(eval "$5" < "$part")
[ "${said%% *}" = "$3" ] || { echo 'the digest differs on arrival' >&2; exit 65; }
chmod "$2" "$part"
sync "$part"
mv -fT "$part" "$1"
sync "$folder"
trap - EXIT
"""
_SMALL = "sha256sum"
# Twice as fast on hundreds of MB; for a few bytes its start takes several times as long.
_LARGE = "if command -v openssl >/dev/null; then exec openssl dgst -sha256 -r; fi; exec sha256sum"


def put(path: str, content: bytes, mode: int) -> Script:
    """Takes the content on stdin; missing folders are made with mode 0755."""
    return Script.of(_PUT, path, f"{mode:o}", hashlib.sha256(content).hexdigest(), "cat", _SMALL)


def put_packed(path: str, sha256: str, mode: int) -> Script:
    """Takes the content compressed by gzip on stdin; `sha256` is that of the content."""
    return Script.of(_PUT, path, f"{mode:o}", sha256, "gzip -dc", _LARGE)
