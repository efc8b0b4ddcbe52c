"""How a file is put in place on a host: whole or not at all, and on the disk when the command has ended."""

from __future__ import annotations

import hashlib

from inventory.models.command import Script

# $1 path, $2 mode, $3 SHA-256, $4 the program that unpacks. A content cut short by a lost connection has the
# wrong digest and is not put in place.
_PUT = """
set -eu
mkdir -p "$(dirname "$1")"
part=$(mktemp "$1.XXXXXX")
trap 'rm -f "$part"' EXIT
$4 > "$part"
digest="sha256sum"
if command -v openssl >/dev/null; then digest="openssl dgst -sha256 -r"; fi
said=$($digest < "$part")
[ "${said%% *}" = "$3" ] || { echo 'the digest differs on arrival' >&2; exit 65; }
chmod "$2" "$part"
sync "$part"
mv -fT "$part" "$1"
sync "$(dirname "$1")"
trap - EXIT
"""


def put(path: str, content: bytes, mode: int) -> Script:
    """Takes the content on stdin; missing folders are made with mode 0755."""
    return Script.of(_PUT, path, f"{mode:o}", hashlib.sha256(content).hexdigest(), "cat")


def put_packed(path: str, sha256: str, mode: int) -> Script:
    """Takes the content compressed by gzip on stdin; `sha256` is that of the content."""
    return Script.of(_PUT, path, f"{mode:o}", sha256, "gzip -dc")
