"""A bucket in memory that can misbehave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from inventory.models.stored_object import ObjectMetadata, StoredObject


class MemoryBucket:
    """A bucket in memory that stores `spoils` writes wrongly, and never the metadata named in `loses`."""

    def __init__(
        self, name: str, content: dict[str, bytes], spoils: int = 0, loses: tuple[str, ...] = ()
    ) -> None:
        self.name, self.spoils, self.loses = name, spoils, loses
        self.stored = {key: StoredObject(each) for key, each in content.items()}
        self.written: list[str] = []

    @property
    def content(self) -> dict[str, bytes]:
        return {key: each.content for key, each in self.stored.items()}

    def list(self) -> Iterator[tuple[str, int, str]]:
        for key, each in sorted(self.stored.items()):
            yield key, len(each.content), hashlib.md5(each.content).hexdigest()  # noqa: S324 - an ETag is one

    def read(self, key: str) -> StoredObject:
        return self.stored[key]

    def write(self, key: str, stored: StoredObject) -> None:
        self.written.append(key)
        content = stored.content
        if self.spoils:
            self.spoils -= 1
            content = content[:-1]
        kept = {name: value for name, value in stored.metadata.headers.items() if name not in self.loses}
        self.stored[key] = StoredObject(content, replace(stored.metadata, headers=kept))

    def head(self, key: str) -> ObjectMetadata | None:
        return self.stored[key].metadata if key in self.stored else None
