"""An entry of the trail, and the leaf that it is stored as.

A leaf is the RFC 8785 JSON of a DSSE envelope (one Ed25519 signature over the pre-authentication encoding)
around an in-toto Statement v1. The statement's subject is what the entry is about, with the SHA-256 of the
canonical body; its predicate holds the entry, the tool's version and the leaf hash of the entry before (the
hash chain). Reading accepts only the canonical bytes, so that an entry has one form and no byte of it can
change unseen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tasks.ledger.canonical import canonical
from tasks.ledger.keys import PublicKey, SigningKey
from tasks.ledger.merkle import leaf_hash

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://safe-harbor.example/ledger-entry/v1"
NO_PREVIOUS = "0" * 64


class Kind(StrEnum):
    """What an entry says. A decision, an approval and a milestone are checkpointed as they are written."""

    INTENT = "intent"  # what will be done
    OUTCOME = "outcome"  # what came of it
    EVIDENCE = "evidence"  # what was observed
    DECISION = "decision"  # a gate's verdict, with the digests of its inputs
    APPROVAL = "approval"  # a person's consent
    WAIVER = "waiver"  # a failing check that was let through, by whom and why
    MILESTONE = "milestone"  # anything else that must be durable and signed for at once

    @property
    def checkpointed(self) -> bool:
        """Whether an entry of this kind is followed by a checkpoint in the same transaction."""
        return self in (Kind.DECISION, Kind.APPROVAL, Kind.MILESTONE)


@dataclass(frozen=True)
class Entry:
    """One entry. `index` counts from 0, `leaf_hash` is hex, `at` is UTC."""

    index: int
    leaf_hash: str
    at: datetime
    kind: Kind
    subject: str
    body: Mapping[str, Any]
    actor: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "index": self.index,
            "leaf_hash": self.leaf_hash,
            "at": _stamp(self.at),
            "kind": str(self.kind),
            "subject": self.subject,
            "actor": self.actor,
            "body": self.body,
        }

    def __str__(self) -> str:
        body = json.dumps(self.body, ensure_ascii=False, sort_keys=True)
        shown = body if len(body) <= 120 else body[:117] + "..."
        at = self.at.strftime("%Y-%m-%d %H:%M:%S")
        return f"{self.index:5}  {at}Z  {self.kind:<9}  {self.subject}  by {self.actor}  {shown}"


def open_intents(entries: Sequence[Entry]) -> list[Entry]:
    """The intents that no outcome answers."""
    answered = {entry.body.get("intent") for entry in entries if entry.kind is Kind.OUTCOME}
    return [entry for entry in entries if entry.kind is Kind.INTENT and entry.index not in answered]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def tool_version() -> str:
    """The version of this program, for the record."""
    try:
        return version("safe-harbor-exit")
    except PackageNotFoundError:
        return "not installed"


def pre_authentication_encoding(payload: bytes) -> bytes:
    """PAE of DSSE v1: what is signed."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Draft:
    """An entry before it is sealed; `body` is plain JSON."""

    index: int
    at: datetime
    kind: Kind
    subject: str
    body: Mapping[str, Any]
    actor: str
    previous: str  # leaf hash (hex) of the entry before

    def seal(self, key: SigningKey) -> tuple[Entry, bytes]:
        """The entry and its leaf."""
        payload = canonical(self._statement(tool_version()))
        signature = key.sign(pre_authentication_encoding(payload))
        leaf = _envelope(payload, key.public.keyid, signature)
        digest = leaf_hash(leaf).hex()
        return Entry(self.index, digest, self.at, self.kind, self.subject, self.body, self.actor), leaf

    def _statement(self, tool: str) -> dict[str, Any]:
        body_digest = hashlib.sha256(canonical(self.body)).hexdigest()
        return {
            "_type": STATEMENT,
            "subject": [{"name": self.subject, "digest": {"sha256": body_digest}}],
            "predicateType": PREDICATE,
            "predicate": {
                "index": self.index,
                "at": _stamp(self.at),
                "kind": str(self.kind),
                "actor": self.actor,
                "tool": {"name": "safe-harbor-exit", "version": tool},
                "previous": self.previous,
                "body": self.body,
            },
        }

    @classmethod
    def of_statement(cls, statement: dict[str, Any]) -> Draft:
        """Read a statement. Raises ValueError where it is not exactly what `seal` would have written."""
        try:
            predicate = statement["predicate"]
            draft = cls(
                predicate["index"],
                datetime.fromisoformat(predicate["at"]),
                Kind(predicate["kind"]),
                statement["subject"][0]["name"],
                predicate["body"],
                predicate["actor"],
                predicate["previous"],
            )
            same = draft._statement(predicate["tool"]["version"]) == statement
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"not a statement of this ledger: {error!r}") from error
        if not same or not isinstance(draft.index, int) or not isinstance(draft.body, dict):
            raise ValueError("not a statement of this ledger")
        return draft


def _envelope(payload: bytes, keyid: str, signature: bytes) -> bytes:
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
        }
    )


def open_leaf(leaf: bytes, key: PublicKey) -> tuple[Entry, str]:
    """(entry, leaf hash of the entry before). Raises ValueError where the leaf is not, to the byte, one that
    this key signed."""
    envelope = json.loads(leaf)
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a DSSE envelope: {error!r}") from error
    if _envelope(payload, key.keyid, signature) != leaf:
        raise ValueError("the envelope is not in its canonical form, or names another key")
    if not key.verifies(signature, pre_authentication_encoding(payload)):
        raise ValueError("the signature does not verify")
    statement = json.loads(payload)
    if not isinstance(statement, dict) or canonical(statement) != payload:
        raise ValueError("the statement is not canonical JSON")
    draft = Draft.of_statement(statement)
    digest = leaf_hash(leaf).hex()
    return Entry(
        draft.index, digest, draft.at, draft.kind, draft.subject, draft.body, draft.actor
    ), draft.previous
