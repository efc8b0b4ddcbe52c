"""What moving a bucket decides, with buckets in memory that misbehave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drivers.errors import ServiceFailed
from tasks.move.bucket import move_bucket


class Memory:
    def __init__(self, name: str, content: dict[str, bytes], spoils: int = 0) -> None:
        self.name, self.content, self.spoils = name, dict(content), spoils
        self.written: list[str] = []

    def list(self) -> Iterator[tuple[str, int, str]]:
        for key, content in sorted(self.content.items()):
            yield key, len(content), hashlib.md5(content).hexdigest()  # noqa: S324 - an ETag is one

    def read(self, key: str) -> bytes:
        return self.content[key]

    def write(self, key: str, content: bytes, *, content_type: str = "") -> None:
        self.written.append(key)
        if self.spoils:
            self.spoils -= 1
            content = content[:-1]
        self.content[key] = content

    def head(self, key: str) -> dict[str, Any] | None:
        return {} if key in self.content else None


objects = st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=20), max_size=8)


@given(source=objects, target=objects)
def test_afterwards_the_target_has_all_and_a_second_run_copies_nothing(
    source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    here, there = Memory("s3://a", source), Memory("s3://b", target)
    moved = move_bucket(here, there)
    assert source.items() <= there.content.items()
    assert moved.copied == sum(target.get(key) != content for key, content in source.items())
    assert set(moved.extra) == set(target) - set(source)
    assert move_bucket(here, there).copied == 0


def test_an_object_that_arrives_spoilt_is_copied_once_more() -> None:
    here, there = Memory("s3://a", {"k": b"content"}), Memory("s3://b", {}, spoils=1)
    move_bucket(here, there)
    assert there.content == {"k": b"content"}
    assert there.written == ["k", "k"]


def test_an_object_that_stays_spoilt_is_an_error() -> None:
    with pytest.raises(ServiceFailed, match="k differs"):
        move_bucket(Memory("s3://a", {"k": b"content"}), Memory("s3://b", {}, spoils=2))


def test_the_same_size_and_etag_with_other_content_is_found_by_reading() -> None:
    class Lying(Memory):
        def list(self) -> Iterator[tuple[str, int, str]]:
            for key, content in sorted(self.content.items()):
                yield key, len(content), "same"

    here, there = Lying("s3://a", {"k": b"right"}), Lying("s3://b", {"k": b"wrong"})
    assert move_bucket(here, there, deep=False).copied == 0
    assert move_bucket(here, there).copied == 1
    assert there.content["k"] == b"right"
