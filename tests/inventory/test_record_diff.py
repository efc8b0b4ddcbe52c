"""What changed in a record of processing is named field by field, and nothing where nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inventory.load import load_site
from inventory.models.processing import Processing, Processor
from inventory.record import record_digest, record_of
from inventory.record_diff import record_changes
from tests.checks.residency.world import ALL, survey_of
from tests.inventory.sites import whole

POST = Processor(name="Nordpost AS", country="NO", purpose="parcels", data=("names",))


def record(folder: Path, resources: Any = ALL, **fields: Any) -> dict[str, Any]:
    site = load_site(whole(folder)).model_copy(update={"processing": Processing(**fields)})
    return record_of(site, survey_of(resources))


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({}, ("recipients[Nordpost AS]: gone, was name Nordpost AS, country NO, role processor, "
              "purpose parcels, data names",)),
        ({"processors": (POST,)}, ()),
        (
            {"processors": (POST.model_copy(update={"country": "SE"}),)},
            ("recipients[Nordpost AS].country: was NO, now SE",),
        ),
        (
            {"processors": (POST.model_copy(update={"data": ("names", "phones")}),)},
            ("recipients[Nordpost AS].data: with phones",),
        ),
        (
            {"processors": (POST,), "retention": "a year"},
            ("retention: was nothing, now a year", "not_declared: without retention"),
        ),
    ],
)  # fmt: skip
def test_what_changed_in_the_declaration(fields: Any, changes: tuple[str, ...], tmp_path: Path) -> None:
    assert record_changes(record(tmp_path, processors=(POST,)), record(tmp_path, **fields)) == changes


def test_what_changed_in_what_was_found(tmp_path: Path) -> None:
    before, after = record(tmp_path), record(tmp_path, ALL[1:])
    assert record_changes(before, after) == ("found.resources.s3/us-east-1/bucket: gone, was 1",)
    assert record_changes(after, before) == ("found.resources.s3/us-east-1/bucket: new, 1",)
    later = {**before, "found": {**before["found"], "observed_at": "2026-12-01T00:00:00+00:00"}}
    assert record_changes(before, later) == ()


WORDS = st.text("ab", max_size=2)
VALUES = st.recursive(
    WORDS | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@example({"a": ["x", "y"]}, {"a": ["y", "x"]})
@example({"a": [{"name": "x"}]}, {"a": ["x"]})
@given(st.dictionaries(WORDS, VALUES, max_size=4), st.dictionaries(WORDS, VALUES, max_size=4))
def test_a_change_is_named_where_the_digests_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    one, other = ({**each, "found": {}} for each in (before, after))
    assert (record_digest(one) != record_digest(other)) == bool(record_changes(one, other))
