"""C2SP signed notes, the checkpoint that one carries, and the witness's cosignature.

Formats: signed-note (text, empty line, signature lines), tlog-checkpoint (origin, size, root) and
tlog-cosignature (`cosignature/v1`, a time, the note's text). Parsing accepts exactly what rendering makes, so
that no byte of a note can change unseen.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.ledger.keys import COSIGNATURE, PublicKey, SigningKey

_DASH = "\N{EM DASH}"  # the format's own mark of a signature line


def sign_note(text: str, key: SigningKey) -> str:
    """The note with this key's signature. `text` ends with a newline."""
    return f"{text}\n{_line(key.public, key.sign(text.encode()))}"


def cosign(note: str, key: SigningKey, at_unix_s: int) -> str:
    """The note with a witness's time-stamped signature added."""
    text, _ = split_note(note)
    signature = struct.pack(">Q", at_unix_s) + key.sign(_cosigned(text, at_unix_s))
    return note + _line(key.public, signature)


def _line(key: PublicKey, signature: bytes) -> str:
    return f"{_DASH} {key.name} {base64.b64encode(key.key_hash + signature).decode()}\n"


def _cosigned(text: str, at_unix_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_unix_s}\n{text}".encode()


def split_note(note: str) -> tuple[str, list[str]]:
    """(text, signature lines). Raises ValueError where it is no signed note."""
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or not text or lines[-1] != "" or len(lines) < 2:
        raise ValueError("not a signed note")
    if not all(line.startswith(f"{_DASH} ") for line in lines[:-1]):
        raise ValueError("not a signed note: a line after the text is no signature")
    return text + "\n", lines[:-1]


def _signature_of(line: str, key: PublicKey) -> bytes | None:
    """The key's signature in a line; None where the line is another key's."""
    words = line.split(" ")
    if len(words) != 3 or words[1] != key.name:
        return None
    try:
        data = base64.b64decode(words[2], validate=True)
    except ValueError:
        return None
    if data[:4] != key.key_hash or _line(key, data[4:]) != line + "\n":
        return None
    return data[4:]


def open_note(note: str, key: PublicKey) -> str:
    """The text of a note that has exactly this key's signature. Raises ValueError otherwise."""
    text, lines = split_note(note)
    if len(lines) != 1:
        raise ValueError(f"{len(lines)} signatures where one is expected")
    signature = _signature_of(lines[0], key)
    if signature is None or not key.verifies(signature, text.encode()):
        raise ValueError(f"not signed by {key.name}")
    return text


def cosigned_at(note: str, witness: PublicKey) -> int:
    """When the witness cosigned (Unix seconds). Raises ValueError where it did not."""
    text, lines = split_note(note)
    if witness.kind != COSIGNATURE:
        raise ValueError(f"{witness.name} is not a witness's key")
    for line in lines:
        data = _signature_of(line, witness)
        if data is None or len(data) != 72:
            continue
        at_unix_s = int(struct.unpack(">Q", data[:8])[0])
        if witness.verifies(data[8:], _cosigned(text, at_unix_s)):
            return at_unix_s
    raise ValueError(f"not cosigned by {witness.name}")


def without_cosignatures(note: str, log: PublicKey) -> str:
    """The note with the log's own signature only. Raises ValueError where that is not there."""
    text, lines = split_note(note)
    mine: Iterable[str] = (line for line in lines if _signature_of(line, log) is not None)
    for line in mine:
        alone = f"{text}\n{line}\n"
        open_note(alone, log)
        return alone
    raise ValueError(f"not signed by {log.name}")


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: the tree of `origin` had `size` leaves and this root. `note` is the signed text."""

    origin: str
    size: int
    root: bytes
    note: str

    @classmethod
    def sign(cls, key: SigningKey, size: int, root: bytes) -> Checkpoint:
        """Make and sign it."""
        note = sign_note(_checkpoint_text(key.public.name, size, root), key)
        return cls(key.public.name, size, root, note)

    @classmethod
    def parse(cls, note: str, key: PublicKey) -> Checkpoint:
        """Read a checkpoint of this log. Raises ValueError where it is not one, to the byte."""
        text = open_note(note, key)
        lines = text.split("\n")
        if len(lines) != 4 or lines[0] != key.name or not lines[1].isascii() or not lines[1].isdigit():
            raise ValueError("not a checkpoint of this ledger")
        found = cls(key.name, int(lines[1]), base64.b64decode(lines[2], validate=True), note)
        if _checkpoint_text(found.origin, found.size, found.root) != text or len(found.root) != 32:
            raise ValueError("not a checkpoint of this ledger")
        return found


def _checkpoint_text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
