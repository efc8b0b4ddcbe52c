"""Examines a ledger folder without changing it: every leaf, chain link, checkpoint, root and file.

Why no byte can change unseen. SQLite files have bytes that no query reads (free pages, header counters), so
checking the rows is not enough. Closed (the usual state): the seal is signed and holds the SHA-256 of the
whole database and key files, and is itself parsed to the byte. Open (a writer is at work, or was killed):
every leaf and checkpoint is signed and compared in its one canonical form, and the seal holds the number of
entries and the root as of the last append, so that a damaged or cut-off log is missed; bytes that no query
reads are covered from the next close on, and `Trail.sealed` is False until then. One entry more than the
seal says is the append that a kill cut short between the database and the seal.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from inventory.errors import BadInput
from tasks.ledger import merkle
from tasks.ledger.entry import NO_PREVIOUS, Entry, open_leaf
from tasks.ledger.keys import PublicKey
from tasks.ledger.note import Checkpoint
from tasks.ledger.seal import CLOSED, DATABASE, LOG, PRIVATE_KEY, PUBLIC_KEY, SEAL, Seal, digest_of
from tasks.ledger.store import read_rows

_FILES = (PUBLIC_KEY, SEAL, DATABASE, LOG)
_TRIES = 100


@dataclass
class Trail:
    """What a folder holds, and everything that is wrong with it."""

    path: Path
    key: PublicKey | None = None
    seal: Seal | None = None
    entries: list[Entry] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)  # canonical envelopes
    hashes: list[bytes] = field(default_factory=list)  # leaf hashes
    checkpoints: list[Checkpoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def sealed(self) -> bool:
        """Whether the whole database file is covered by the seal's digest."""
        return self.seal is not None and self.seal.state == CLOSED

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return merkle.root(self.hashes)


def ledger_folder(path: Path) -> Path:
    """The folder that `path` names (itself, or the folder of a file of it). Raises BadInput for anything
    else.
    """
    folder = path.parent if path.is_file() and path.name in _FILES else path
    if not any((folder / name).is_file() for name in (DATABASE, SEAL)):
        raise BadInput(
            f"no ledger is here; give the folder that holds {DATABASE} and {SEAL}, or an exported bundle",
            path,
        )
    return folder


def examine(path: Path) -> Trail:
    """Everything about the folder. Raises BadInput where the path is no ledger; what is wrong with a ledger
    is in `problems`.
    """
    trail = Trail(ledger_folder(path))
    files = _snapshot(trail.path)
    try:
        trail.key = PublicKey.parse(_one_line(files.get(PUBLIC_KEY, b"")))
    except ValueError as error:
        trail.problems.append(f"{PUBLIC_KEY}: {error}")
        return trail
    try:
        trail.seal = Seal.parse(files.get(SEAL, b"").decode(), trail.key)
    except ValueError as error:
        trail.problems.append(f"{SEAL}: {error}")
    _files_agree(trail, files)
    try:
        with tempfile.TemporaryDirectory(prefix="safe-harbor-ledger-") as scratch:
            for name in (DATABASE, LOG):
                if name in files:
                    (Path(scratch) / name).write_bytes(files[name])
            rows, notes = read_rows(Path(scratch) / DATABASE)
    except sqlite3.Error as error:
        trail.problems.append(f"{DATABASE}: damaged: {error}")
        return trail
    _read_entries(trail, rows)
    _read_checkpoints(trail, notes)
    _seal_agrees(trail)
    return trail


def _snapshot(folder: Path) -> dict[str, bytes]:
    """The files as of one moment; a writer may be at work."""
    for _ in range(_TRIES):
        before = _state(folder)
        try:
            files = {name: (folder / name).read_bytes() for name in before}
        except FileNotFoundError:
            continue
        if _state(folder) == before:
            return files
        time.sleep(0.02)
    raise BadInput("the ledger changes faster than it can be read; try again when the run is over", folder)


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for name in _FILES:
        path = folder / name
        if path.exists():
            stat = path.stat()
            found[name] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    return found


def _one_line(content: bytes) -> str:
    text = content.decode("ascii")
    if not text.endswith("\n"):
        raise ValueError("not one line")
    return text[:-1]


def _files_agree(trail: Trail, files: dict[str, bytes]) -> None:
    if trail.seal is None:
        return
    for name, expected in trail.seal.files.items():
        path = trail.path / name
        if name == PRIVATE_KEY and not path.exists():
            continue  # a ledger is handed over without it
        try:
            found = digest_of(path)
        except OSError as error:
            trail.problems.append(f"{name}: the seal lists it, and it cannot be read: {error.strerror}")
            continue
        if found != expected:
            trail.problems.append(f"{name}: changed since it was sealed (SHA-256 {found}, sealed {expected})")
    if trail.sealed and files.get(LOG):
        trail.problems.append(f"{LOG}: a write-ahead log lies beside a sealed database")


def _read_entries(trail: Trail, rows: list[tuple[int, bytes, bytes]]) -> None:
    assert trail.key is not None  # noqa: S101 - narrows for the type checker; examine returned before
    previous = NO_PREVIOUS
    for position, (number, stored, leaf) in enumerate(rows):
        digest = merkle.leaf_hash(leaf)
        trail.leaves.append(leaf)
        trail.hashes.append(digest)
        if number != position:
            trail.problems.append(f"entry {position}: stored under the number {number}: removed or reordered")
        if digest != stored:
            trail.problems.append(f"entry {position}: its stored leaf hash is not that of its leaf")
        try:
            entry, before = open_leaf(leaf, trail.key)
        except ValueError as error:
            trail.problems.append(f"entry {position}: {error}")
        else:
            trail.entries.append(entry)
            if entry.index != position:
                trail.problems.append(f"entry {position}: was written as entry {entry.index}: reordered")
            if before != previous:
                trail.problems.append(f"entry {position}: does not follow the entry before it (hash chain)")
        previous = digest.hex()


def _read_checkpoints(trail: Trail, notes: list[tuple[int, str]]) -> None:
    assert trail.key is not None  # noqa: S101 - narrows for the type checker; examine returned before
    last = 0
    for position, (number, note) in enumerate(notes):
        try:
            checkpoint = Checkpoint.parse(note, trail.key)
        except ValueError as error:
            trail.problems.append(f"checkpoint {position}: {error}")
            continue
        trail.checkpoints.append(checkpoint)
        if number != position or checkpoint.size < last:
            trail.problems.append(f"checkpoint {position}: removed or reordered")
        last = checkpoint.size
        _tree_agrees(trail, f"checkpoint {position}", checkpoint.size, checkpoint.root)


def _seal_agrees(trail: Trail) -> None:
    seal = trail.seal
    if seal is None:
        return
    _tree_agrees(trail, SEAL, seal.size, seal.root)
    ahead = 0 if trail.sealed else 1
    for what, sealed, found in (
        ("entries", seal.size, len(trail.hashes)),
        ("checkpoints", seal.checkpoints, len(trail.checkpoints)),
    ):
        if not sealed <= found <= sealed + ahead:
            trail.problems.append(f"{SEAL}: speaks of {sealed} {what}, the database has {found}")


def _tree_agrees(trail: Trail, who: str, size: int, root: bytes) -> None:
    if size > len(trail.hashes):
        trail.problems.append(
            f"{who}: speaks of {size} entries, the database has {len(trail.hashes)}: the tail was removed"
        )
    elif merkle.root(trail.hashes[:size]) != root:
        trail.problems.append(f"{who}: the root of the first {size} entries is another")
