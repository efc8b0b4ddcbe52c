#!/usr/bin/env python3
"""Verifies an exported audit trail with nothing but Python's standard library (3.9 or newer).

    python3 verifier.py [FOLDER] [--key VERIFIER_KEY]

It needs nothing of the program that wrote the trail, and rehashes everything: the sums of all files, every
entry (DSSE, body, hash chain, inclusion proof), every checkpoint and the seal (RFC 6962, C2SP signed notes,
Ed25519 by RFC 8032). Exit code: 0 it verifies, 4 it does not, 2 the folder is no bundle. `--key` is the
verifier key as it reached you by another way; without it the bundle is shown to be whole, not whose it is.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

SUMS, ENTRIES, PROOFS, CHECKPOINTS = "SHA256SUMS", "entries.jsonl", "proofs.jsonl", "checkpoints.jsonl"
PUBLIC_KEY, SEAL, VERIFIER = "ledger.pub", "seal.note", "verifier.py"
FILES = (CHECKPOINTS, ENTRIES, PROOFS, PUBLIC_KEY, SEAL, VERIFIER)
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"

# ---- Ed25519 verification (RFC 8032 section 5.1.7), in extended coordinates ----
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """The sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def decode_point(data: bytes) -> Point:
    """Raises ValueError where the 32 bytes are no point in canonical form."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(data) != 32 or y >= P:
        raise ValueError("not a point")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


GENERATOR = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether R = [s]B - [k]A, in one pass over the bits. Raises ValueError for a key that is no point."""
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= Q:
        return False
    x, y, z, t = decode_point(public)
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % Q
    minus_a: Point = (P - x, y, z, P - t)
    both = add(GENERATOR, minus_a)
    found = NEUTRAL
    for bit in range(252, -1, -1):
        found = add(found, found)
        pair = (s >> bit & 1, k >> bit & 1)
        if pair != (0, 0):
            found = add(found, both if pair == (1, 1) else GENERATOR if pair == (1, 0) else minus_a)
    inverse = pow(found[2], P - 2, P)
    x, y = found[0] * inverse % P, found[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# ---- canonical JSON (RFC 8785) ----
def canonical(value: Any) -> bytes:
    """The canonical bytes of a value that `json.loads` gave."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(canonical(key) + b":" + canonical(value[key]) for key in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(canonical(item) for item in value) + b"]"
    return (_number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)).encode()


def _number(value: float) -> str:
    """A double as ECMAScript writes it: the shortest digits, exponents from 1e21 and below 1e-6."""
    if value == 0:
        return "0"
    negative, numerals, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, numerals))
    point, sign = len(digits) + int(exponent), "-" * negative
    if 0 < point <= 21:
        padded = digits.ljust(point, "0")
        return sign + padded[:point] + ("." + padded[point:] if len(padded) > point else "")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


# ---- Merkle tree (RFC 6962) ----
def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(hashes: list[bytes]) -> list[bytes]:
    """The root of every prefix, the empty one first."""
    found = [hashlib.sha256(b"").digest()]
    full: list[bytes] = []
    for size, leaf in enumerate(hashes):
        node = leaf
        while size & 1:
            node, size = node_hash(full.pop(), node), size >> 1
        full.append(node)
        top = full[-1]
        for left in reversed(full[:-1]):
            top = node_hash(left, top)
        found.append(top)
    return found


def included(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to; some other bytes where its length is wrong."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else b""
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return node_hash(included(leaf, index, k, path[:-1]), path[-1])
    return node_hash(path[-1], included(leaf, index - k, size - k, path[:-1]))


# ---- the bundle ----
class Key(NamedTuple):
    """A verifier key: its name and its 32 bytes."""

    name: str
    raw: bytes


class Found(NamedTuple):
    """What came of a check."""

    entries: int
    root: bytes
    checkpoints: int
    problems: list[str]
    key: str


def read_key(text: str) -> Key:
    """Raises ValueError where the text is not exactly one Ed25519 verifier key and a newline."""
    match = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})\n", text)
    if match is None:
        raise ValueError("not a verifier key")
    data = base64.b64decode(match[3])
    digest = hashlib.sha256(match[1].encode() + b"\n" + data).hexdigest()
    if data[:1] != b"\x01" or digest[:8] != match[2] or base64.b64encode(data).decode() != match[3]:
        raise ValueError("not an Ed25519 verifier key, or its hash is wrong")
    return Key(match[1], data[1:])


def note_lines(note: str, key: Key) -> list[str]:
    """The lines of a note's text. Raises ValueError where the key did not sign it."""
    text, found, tail = note.rpartition("\n\n")
    text += "\n"
    start = f"\N{EM DASH} {key.name} "
    if not found or not tail.startswith(start) or not tail.endswith("\n"):
        raise ValueError("not a note of this ledger")
    data = base64.b64decode(tail[len(start) : -1], validate=True)
    key_hash = hashlib.sha256(key.name.encode() + b"\n\x01" + key.raw).digest()[:4]
    if data[:4] != key_hash or f"{start}{base64.b64encode(data).decode()}\n" != tail:
        raise ValueError("not a note of this ledger")
    if not ed25519_verifies(key.raw, data[4:], text.encode()):
        raise ValueError("the signature does not verify")
    return text[:-1].split("\n")


def read_leaf(leaf: bytes, key: Key) -> dict[str, Any]:
    """The predicate of an entry. Raises ValueError, KeyError or TypeError where anything is wrong."""
    envelope = json.loads(leaf)
    payload = base64.b64decode(envelope["payload"], validate=True)
    signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    expected = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": hashlib.sha256(key.raw).hexdigest(), "sig": base64.b64encode(signature).decode()}
        ],
    }
    if canonical(expected) != leaf:
        raise ValueError("the envelope is not in its canonical form")
    kind = PAYLOAD_TYPE.encode()
    if not ed25519_verifies(
        key.raw, signature, b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    ):
        raise ValueError("the signature does not verify")
    statement = json.loads(payload)
    predicate: dict[str, Any] = statement["predicate"]
    if canonical(statement) != payload or statement["_type"] != STATEMENT:
        raise ValueError("the statement is not canonical")
    body = hashlib.sha256(canonical(predicate["body"])).hexdigest()
    if statement["subject"][0]["digest"]["sha256"] != body:
        raise ValueError("the body's digest is another")
    return predicate


def check(folder: Path) -> Found:
    """Everything about a bundle; what is wrong with it is in `problems`."""
    problems: list[str] = []
    present = {path.name for path in folder.iterdir()}
    problems += [f"{name}: missing" for name in sorted({*FILES, SUMS} - present)]
    problems += [f"{name}: is no part of the bundle" for name in sorted(present - {*FILES, SUMS})]
    if problems:
        return Found(0, b"", 0, problems, "")
    content = {name: (folder / name).read_bytes() for name in (*FILES, SUMS)}
    sums = "".join(f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(FILES))
    if sums.encode() != content[SUMS]:
        problems.append(f"{SUMS}: is not what the files give; one of them, or it, was changed")
    try:
        key = read_key(content[PUBLIC_KEY].decode())
    except ValueError as error:
        return Found(0, b"", 0, [*problems, f"{PUBLIC_KEY}: {error}"], "")
    hashes = _check_entries(content[ENTRIES], key, problems)
    prefix_roots = roots(hashes)
    count, signed = _check_notes(content, key, prefix_roots, problems)
    _check_proofs(content[PROOFS], hashes, signed, prefix_roots, problems)
    return Found(len(hashes), prefix_roots[-1], count, problems, content[PUBLIC_KEY].decode().strip())


def _lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")[:-1] if content.endswith(b"\n") else content.split(b"\n") if content else []


def _check_entries(content: bytes, key: Key, problems: list[str]) -> list[bytes]:
    hashes: list[bytes] = []
    previous = "0" * 64
    for position, leaf in enumerate(_lines(content)):
        hashes.append(leaf_hash(leaf))
        try:
            predicate = read_leaf(leaf, key)
            if predicate["index"] != position or predicate["previous"] != previous:
                problems.append(f"entry {position}: does not follow the entry before it")
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            problems.append(f"entry {position}: {error}")
        previous = hashes[-1].hex()
    return hashes


def _check_notes(
    content: dict[str, bytes], key: Key, prefix_roots: list[bytes], problems: list[str]
) -> tuple[int, int]:
    """(number of checkpoints, size of the last)."""
    last = count = 0
    for position, line in enumerate(_lines(content[CHECKPOINTS])):
        count += 1
        try:
            note = json.loads(line)
            origin, size, root = note_lines(note, key)
            if origin != key.name or canonical(note) != line or int(size) < last:
                problems.append(f"checkpoint {position}: is not in its place")
            last = int(size)
            _agree(f"checkpoint {position}", last, root, prefix_roots, problems)
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(f"checkpoint {position}: {error}")
    try:
        origin, _, size, checkpoints, root, *_ = note_lines(content[SEAL].decode(), key)
        if origin != f"{key.name}/seal" or (int(size), int(checkpoints)) != (len(prefix_roots) - 1, count):
            problems.append(f"{SEAL}: speaks of {size} entries and {checkpoints} checkpoints")
        _agree(SEAL, int(size), root, prefix_roots, problems)
    except ValueError as error:
        problems.append(f"{SEAL}: {error}")
    return count, last


def _agree(who: str, size: int, root: str, prefix_roots: list[bytes], problems: list[str]) -> None:
    if size >= len(prefix_roots):
        problems.append(
            f"{who}: speaks of {size} entries, here are {len(prefix_roots) - 1}: the tail was removed"
        )
    elif base64.b64encode(prefix_roots[size]).decode() != root:
        problems.append(f"{who}: the root of the first {size} entries is another")


def _check_proofs(
    content: bytes, hashes: list[bytes], signed: int, prefix_roots: list[bytes], problems: list[str]
) -> None:
    lines = _lines(content)
    if not len(lines) == signed <= len(hashes):
        problems.append(f"{PROOFS}: {len(lines)} proofs, the last checkpoint has {signed} entries")
        lines = []
    for index, line in enumerate(lines):
        try:
            proof = json.loads(line)
            path = [bytes.fromhex(node) for node in proof["path"]]
            expected = {"index": index, "leaf_hash": hashes[index].hex(), "path": [n.hex() for n in path]}
            right = canonical(expected) == line and proof == expected
        except (ValueError, KeyError, TypeError):
            right, path = False, []
        if not right or included(hashes[index], index, signed, path) != prefix_roots[signed]:
            problems.append(f"{PROOFS}: entry {index} is not shown to be in the tree")


def main(arguments: list[str]) -> int:
    """The command; see the top of this file."""
    parser = argparse.ArgumentParser(description="Verifies an exported audit trail.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--key", default="", help="the verifier key that you expect")
    given = parser.parse_args(arguments)
    folder, expected = given.folder, given.key.strip()
    if not folder.is_dir() or not any((folder / name).is_file() for name in (SUMS, ENTRIES)):
        sys.stderr.write(f"{folder}: no exported audit trail is here ({SUMS}, {ENTRIES})\n")
        return 2
    found = check(folder)
    problems = list(found.problems)
    if expected and expected != found.key:
        problems.append(f"signed by {found.key}, not by {expected}")
    for problem in problems:
        sys.stdout.write(f"  {problem}\n")
    if problems:
        sys.stdout.write(f"{folder}: does NOT verify\n")
        return 4
    sys.stdout.write(
        f"{folder}: verified, {found.entries} entries, {found.checkpoints} checkpoints, "
        f"root {found.root.hex()}\nsigned by {found.key}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
