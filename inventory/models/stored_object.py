"""An object of a bucket: its content, and what a store tells of it to whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HEADERS = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Expires",
    "x-amz-website-redirect-location",
)
USER_PREFIX = "x-amz-meta-"
_DEFAULTS = {"Content-Type": "binary/octet-stream"}  # S3's own, where an object was written without one


@dataclass(frozen=True)
class ObjectMetadata:
    """What belongs to an object beside its content.

    `headers` are those of HEADERS that it has, under these names; `user` is what was given as x-amz-meta-*,
    without the prefix; `tags` are its tags. Values are the store's own text.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    user: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def named(self) -> dict[str, str]:
        """All of it in one mapping: a header's name, `x-amz-meta-NAME` or `tag NAME` to its value."""
        return {
            **_DEFAULTS,
            **self.headers,
            **{f"{USER_PREFIX}{name}": value for name, value in self.user.items()},
            **{f"tag {name}": value for name, value in self.tags.items()},
        }

    def differing(self, other: ObjectMetadata) -> tuple[str, ...]:
        """The names whose values are not the same on both; values may be personal, so they stay out."""
        ours, theirs = self.named(), other.named()
        return tuple(sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name)))


@dataclass(frozen=True)
class StoredObject:
    """An object as it is read and written: whole, in memory."""

    content: bytes
    metadata: ObjectMetadata = field(default_factory=ObjectMetadata)
