"""The SQLite file: leaves and checkpoints, in WAL mode with `synchronous=FULL`, one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.drivers.errors import OutsideError
from tasks.ledger.seal import DATABASE

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries"
    " (number INTEGER PRIMARY KEY, leaf_hash BLOB NOT NULL, leaf BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS checkpoints (number INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
)


class Store:
    """The database, opened for writing. Calls are serialised by the ledger's lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE
        with self._translated():
            # The ledger's own lock serialises the threads; autocommit, so that BEGIN is ours.
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_SCHEMA):
                self._connection.execute(statement)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutsideError(
                str(self._path),
                f"the ledger cannot be written: {error}",
                "look at the disk's space and rights",
            ) from error

    def append(
        self, leaf: tuple[int, bytes, bytes] | None = None, checkpoint: tuple[int, str] | None = None
    ) -> None:
        """Write (number, leaf hash, leaf) and (number, note) in one durable transaction."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if leaf is not None:
                    self._connection.execute("INSERT INTO entries VALUES (?, ?, ?)", leaf)
                if checkpoint is not None:
                    self._connection.execute("INSERT INTO checkpoints VALUES (?, ?)", checkpoint)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with self._translated():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()


def read_rows(database: Path) -> tuple[list[tuple[int, bytes, bytes]], list[tuple[int, str]]]:
    """(entries, checkpoints) of a private copy of a database. Raises sqlite3.DatabaseError where it is
    damaged.
    """
    connection = sqlite3.connect(database)
    try:
        damage = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if damage != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(str(line) for line in damage[:5]))
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables:  # begun, and killed before the first write
            return [], []
        entries = connection.execute("SELECT number, leaf_hash, leaf FROM entries ORDER BY number").fetchall()
        notes = connection.execute("SELECT number, note FROM checkpoints ORDER BY number").fetchall()
    finally:
        connection.close()
    wrong = [row for row in entries if [type(cell) for cell in row] != [int, bytes, bytes]]
    wrong += [row for row in notes if [type(cell) for cell in row] != [int, str]]
    if wrong:  # a damaged row header can turn a column into another type, or NULL
        raise sqlite3.DatabaseError(f"{len(wrong)} rows hold values of the wrong type")
    return entries, notes
