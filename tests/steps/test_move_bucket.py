"""What the step that copies the bucket says and records."""

from __future__ import annotations

import pytest

from inventory.models.stored_object import ObjectMetadata, StoredObject
from inventory.models.verdict import Verdict
from tasks.steps import move
from tasks.steps.stage import Draft
from tasks.steps.workplace import Workplace
from tests.move.memory_bucket import MemoryBucket
from tests.steps.conftest import subjects
from tests.steps.fakes import World

DRAWN = StoredObject(b"x", ObjectMetadata({"Cache-Control": "no-store"}))


@pytest.mark.parametrize(
    ("key", "loses", "verdict"),
    [
        ("b.jpg", (), Verdict.PASS),
        ("b.jpg", ("Cache-Control",), Verdict.FAIL),
        ("img/", ("Cache-Control",), Verdict.WARN),
    ],
)
def test_metadata_that_the_target_does_not_keep_is_a_finding(
    world: World, place: Workplace, key: str, loses: tuple[str, ...], verdict: Verdict
) -> None:
    world.source_bucket.stored[key] = DRAWN
    world.target_bucket = MemoryBucket("s3://media", {}, loses=loses)
    draft = Draft()
    move.copy_bucket.fn(draft)
    bucket, metadata = draft.findings
    assert (bucket.code, bucket.verdict) == ("MOV-BUCKET", Verdict.PASS)
    assert (metadata.code, metadata.verdict) == ("MOV-METADATA", verdict)
    assert (f"{key}: Cache-Control" in metadata.observed) is bool(loses)
    assert bool(metadata.remedy) is bool(loses)
    assert subjects(place, "move/") == ["intent move/bucket", "outcome move/bucket"]
