"""The ledger, opened for writing by one process."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from tasks.drivers.ports import Clock
from tasks.ledger.canonical import plain
from tasks.ledger.entry import NO_PREVIOUS, Draft, Entry, Kind, open_intents
from tasks.ledger.errors import LedgerBroken, LedgerBusy
from tasks.ledger.examine import Trail, examine
from tasks.ledger.keys import SigningKey, write_durably
from tasks.ledger.merkle import Frontier
from tasks.ledger.note import Checkpoint
from tasks.ledger.seal import (
    CLOSED,
    DATABASE,
    LOCK,
    OPEN,
    PRIVATE_KEY,
    PUBLIC_KEY,
    SEAL,
    Seal,
    digest_of,
)
from tasks.ledger.store import Store

_ERROR_CHARS = 2000
_OWN_KEYS = {"intent", "done", "error"}  # of every outcome that `effect` writes


class Effect:
    """What a block says about the effect that it brings about; `outcome` is the body of the outcome entry."""

    def __init__(self, intent: Entry) -> None:
        self.intent = intent
        self._outcome: dict[str, Any] = {}

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What came of it; JSON only."""
        return self._outcome

    @outcome.setter
    def outcome(self, body: Mapping[str, Any]) -> None:
        content = plain(body, "outcome")
        if taken := sorted(_OWN_KEYS & set(content)):
            raise ValueError(f"outcome: {', '.join(taken)} are the ledger's own keys; take others")
        self._outcome = content


class Ledger:
    """Append-only trail of entries in a folder. Use `Ledger.open(...)` as a context manager.

    Every method may be called from any thread. An entry is durable before `append` returns.
    """

    def __init__(self, path: Path, clock: Clock, actor: str) -> None:
        self.path = path
        self._clock = clock
        self._actor = actor
        self._mutex = threading.RLock()
        self._stack = ExitStack()
        self._closed = False

    @classmethod
    def open(cls, folder: Path | str, *, clock: Clock, actor: str) -> Ledger:
        """Open it, or begin one in an empty or absent folder.

        Recomputes the whole tree first and requires it to agree with the last checkpoint and the seal. Raises
        LedgerBroken where it does not, LedgerBusy where another process writes, BadInput where the key file's
        rights are too wide.
        """
        ledger = cls(Path(folder), clock, actor)
        try:
            ledger._begin()
        except BaseException:
            ledger._stack.close()
            raise
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock()
        trail = self._examined()
        self._key = self._load_or_make_key(trail)
        self._entries = list(trail.entries)
        self._checkpoints = list(trail.checkpoints)
        self._tree = Frontier()
        for digest in trail.hashes:
            self._tree.push(digest)
        self._digests = {name: digest_of(self.path / name) for name in (PUBLIC_KEY, PRIVATE_KEY)}
        # The seal says "open" before the database is touched: a kill from here on is told from tampering.
        self._write_seal(OPEN)
        self._store = Store(self.path)

    def _lock(self) -> None:
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        self._stack.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerBusy(
                str(self.path), "another process writes to this ledger", "wait for it to end, or stop it"
            ) from None

    def _examined(self) -> Trail:
        """The verified content; an empty trail where the ledger is new."""
        begun = (self.path / SEAL).exists() or (self.path / DATABASE).exists()
        if not begun:
            return Trail(self.path)
        trail = examine(self.path)
        if trail.problems:
            raise LedgerBroken(self.path, trail.problems)
        return trail

    def _load_or_make_key(self, trail: Trail) -> SigningKey:
        private = self.path / PRIVATE_KEY
        if not private.exists():
            if trail.key is not None:
                raise LedgerBroken(
                    self.path, [f"{PRIVATE_KEY} is missing: nothing can be signed; put it back"]
                )
            SigningKey.create(private, "new")
        unnamed = SigningKey.load(private, "new")
        key = SigningKey.load(private, f"safe-harbor/ledger/{unnamed.public.keyid[:16]}")
        if trail.key is None:
            write_durably(self.path / PUBLIC_KEY, f"{key.public.line()}\n".encode())
        elif trail.key != key.public:
            raise LedgerBroken(self.path, [f"{PRIVATE_KEY} is not the key of {PUBLIC_KEY}"])
        return key

    def _write_seal(self, state: str) -> None:
        files = dict(self._digests)
        if state == CLOSED:
            files[DATABASE] = digest_of(self.path / DATABASE)
        seal = Seal(state, self._tree.size, len(self._checkpoints), self._tree.root(), files)
        write_durably(self.path / SEAL, seal.sign(self._key).encode())
        self._sealed = self._extent()

    def _extent(self) -> tuple[int, int]:
        return self._tree.size, len(self._checkpoints)

    def append(self, kind: str, subject: str, body: Mapping[str, Any]) -> Entry:
        """Add an entry; it is durable when this returns.

        Raises ValueError for an unknown kind, TypeError where the body holds a Secret or is not JSON,
        OutsideError where the disk does not take it.
        """
        if kind not in tuple(Kind):
            raise ValueError(f"{kind!r} is no kind of entry; known: {', '.join(Kind)}")
        if not isinstance(body, Mapping):
            raise TypeError(f"body: {type(body).__name__} is not a JSON object")
        content, about = plain(body), plain(subject, "subject")
        with self._mutex:
            self._require_open()
            self._catch_up()
            previous = self._entries[-1].leaf_hash if self._entries else NO_PREVIOUS
            draft = Draft(
                self._tree.size, self._clock.now(), Kind(kind), about, content, self._actor, previous
            )
            entry, leaf = draft.seal(self._key)
            digest = bytes.fromhex(entry.leaf_hash)
            grown = self._tree.with_leaf(digest)
            checkpoint = None
            if entry.kind.checkpointed:
                checkpoint = Checkpoint.sign(self._key, grown.size, grown.root())
            self._store.append((entry.index, digest, leaf), self._numbered(checkpoint))
            self._tree = grown
            self._entries.append(entry)
            if checkpoint is not None:
                self._checkpoints.append(checkpoint)
            self._write_seal(OPEN)
            return replace(entry)

    def _numbered(self, checkpoint: Checkpoint | None) -> tuple[int, str] | None:
        return None if checkpoint is None else (len(self._checkpoints), checkpoint.note)

    @contextmanager
    def effect(self, subject: str, body: Mapping[str, Any]) -> Iterator[Effect]:
        """Write the intent, run the block, write the outcome.

        The outcome's body is what the block set, and `intent` (the intent's index), `done` and `error`; an
        exception of the block is written as its text and passes through.
        """
        effect = Effect(self.append(Kind.INTENT, subject, body))
        try:
            yield effect
        except BaseException as error:
            self._conclude(effect, error)
            raise
        self._conclude(effect, None)

    def _conclude(self, effect: Effect, error: BaseException | None) -> None:
        text = "" if error is None else f"{type(error).__name__}: {error}"
        shown = text[:_ERROR_CHARS].encode("utf-8", "replace").decode()
        body = {**effect.outcome, "intent": effect.intent.index, "done": error is None, "error": shown}
        self.append(Kind.OUTCOME, effect.intent.subject, body)

    def entries(self, kind: str | None = None, subject: str | None = None) -> list[Entry]:
        """The entries of that kind and subject, oldest first."""
        with self._mutex:
            return [
                entry
                for entry in self._entries
                if kind in (None, entry.kind) and subject in (None, entry.subject)
            ]

    def open_intents(self) -> list[Entry]:
        """Intents that no outcome answers: what a killed run leaves to `resume` and `rollback`."""
        return open_intents(self.entries())

    @property
    def verifier_key(self) -> str:
        """The public key, as `--key` of the verifier takes it."""
        return self._key.public.line()

    def root(self) -> str:
        """The tree's root, hex."""
        with self._mutex:
            return self._tree.root().hex()

    def checkpoint(self) -> Checkpoint:
        """Sign the tree as it is, durably; the last one where nothing was added since.

        Raises LedgerBroken rather than sign a tree that is smaller than one already signed.
        """
        with self._mutex:
            self._require_open()
            last = self._checkpoints[-1] if self._checkpoints else None
            if last is not None and last.size > self._tree.size:
                raise LedgerBroken(
                    self.path, [f"{self._tree.size} entries, and {last.size} are already signed"]
                )
            if last is not None and last.size == self._tree.size:
                return last
            self._catch_up()
            fresh = Checkpoint.sign(self._key, self._tree.size, self._tree.root())
            self._store.append(checkpoint=self._numbered(fresh))
            self._checkpoints.append(fresh)
            self._write_seal(OPEN)
            return fresh

    def _catch_up(self) -> None:
        """Write the seal again where it could not be written after the last write."""
        if self._sealed != self._extent():
            self._write_seal(OPEN)

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError("the ledger is closed")

    def close(self) -> None:
        """Checkpoint, fold the log into the database, seal the files, let go of the lock."""
        with self._mutex:
            if self._closed:
                return
            try:
                self.checkpoint()
                self._closed = True
                self._store.close()
                self._write_seal(CLOSED)
            finally:
                self._closed = True
                self._stack.close()
