"""What moving a bucket decides, with buckets in memory that misbehave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.stored_object import ObjectMetadata, StoredObject
from tasks.drivers.errors import ServiceFailed
from tasks.move.bucket import move_bucket, plan_bucket
from tests.move.memory_bucket import MemoryBucket

PICTURE = StoredObject(
    b"picture",
    ObjectMetadata(
        {"Cache-Control": "public, max-age=86400", "Content-Encoding": "br", "Expires": "0"},
        {"sha256": "abc"},
        {"owner": "media"},
    ),
)


objects = st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=20), max_size=8)


@given(source=objects, target=objects)
def test_afterwards_the_target_has_all_and_a_second_run_copies_nothing(
    source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    here, there = MemoryBucket("s3://a", source), MemoryBucket("s3://b", target)
    moved = move_bucket(here, there)
    assert source.items() <= there.content.items()
    assert moved.copied == sum(target.get(key) != content for key, content in source.items())
    assert set(moved.extra) == set(target) - set(source)
    assert move_bucket(here, there).copied == 0


def test_an_object_that_arrives_spoilt_is_copied_once_more() -> None:
    here, there = MemoryBucket("s3://a", {"k": b"content"}), MemoryBucket("s3://b", {}, spoils=1)
    move_bucket(here, there)
    assert there.content == {"k": b"content"}
    assert there.written == ["k", "k"]


def test_an_object_that_stays_spoilt_is_an_error() -> None:
    with pytest.raises(ServiceFailed, match="k differs"):
        move_bucket(MemoryBucket("s3://a", {"k": b"content"}), MemoryBucket("s3://b", {}, spoils=2))


def test_the_same_size_and_etag_with_other_content_is_found_by_reading() -> None:
    class Lying(MemoryBucket):
        def list(self) -> Iterator[tuple[str, int, str]]:
            for key, content in sorted(self.content.items()):
                yield key, len(content), "same"

    here, there = Lying("s3://a", {"k": b"right"}), Lying("s3://b", {"k": b"wrong"})
    assert move_bucket(here, there, deep=False).copied == 0
    assert move_bucket(here, there).copied == 1
    assert there.content["k"] == b"right"


def test_the_metadata_comes_along_and_is_compared() -> None:
    here, there = MemoryBucket("s3://a", {}), MemoryBucket("s3://b", {})
    here.stored["k"] = PICTURE
    moved = move_bucket(here, there)
    assert (moved.copied, moved.unkept) == (1, ())
    assert there.stored["k"] == PICTURE
    assert move_bucket(here, there).copied == 0


def test_the_same_content_with_other_metadata_is_copied_anew() -> None:
    here, there = MemoryBucket("s3://a", {}), MemoryBucket("s3://b", {"k": PICTURE.content})
    here.stored["k"] = PICTURE
    assert plan_bucket(here, there).to_copy == 1
    before = move_bucket(there, MemoryBucket("s3://c", {})).digest
    moved = move_bucket(here, there)
    assert (moved.copied, moved.copied_bytes, there.stored["k"]) == (1, 7, PICTURE)
    assert moved.digest != before


def test_what_the_target_does_not_keep_is_named_each_time() -> None:
    here = MemoryBucket("s3://a", {"plain": b"1"})
    there = MemoryBucket("s3://b", {}, loses=("Expires", "Cache-Control"))
    here.stored["folder/"] = here.stored["k"] = PICTURE
    for copied in (3, 2):
        moved = move_bucket(here, there)
        assert [str(each) for each in moved.unkept] == [
            "folder/: Cache-Control, Expires",
            "k: Cache-Control, Expires",
        ]
        assert [each.folder_marker for each in moved.unkept] == [True, False]
        assert moved.copied == copied


def test_no_content_type_is_the_type_that_s3_gives() -> None:
    said = ObjectMetadata({"Content-Type": "binary/octet-stream"})
    assert not said.differing(ObjectMetadata())
    assert ObjectMetadata({"Content-Type": "image/png"}).differing(said) == ("Content-Type",)


@given(source=objects, target=objects)
def test_a_plan_is_what_the_move_then_does(source: dict[str, bytes], target: dict[str, bytes]) -> None:
    here, there = MemoryBucket("s3://a", source), MemoryBucket("s3://b", target)
    planned = plan_bucket(here, there)
    assert not there.written
    moved = move_bucket(here, there)
    assert (planned.to_copy, planned.to_copy_bytes) == (moved.copied, moved.copied_bytes)
    assert (planned.objects, planned.bytes, planned.extra) == (moved.objects, moved.bytes, moved.extra)
    assert plan_bucket(here, there).to_copy == 0


def test_a_bucket_that_is_yet_to_be_made_gets_everything() -> None:
    planned = plan_bucket(MemoryBucket("s3://a", {"a": b"12", "b": b"3"}), None)
    assert (planned.to_copy, planned.to_copy_bytes, planned.extra) == (2, 3, ())
