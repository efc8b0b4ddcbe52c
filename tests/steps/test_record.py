"""The record of processing is kept under its digest, and a changed one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.load import load_site
from inventory.record import record_digest
from tasks.steps.record import RECORDS, read_records, record
from tasks.steps.survey import SURVEY_FILE
from tasks.survey.run import write_survey
from tests.checks.residency.world import survey_of
from tests.inventory.sites import whole


def test_each_record_is_kept_and_read_again(tmp_path: Path) -> None:
    site = load_site(whole(tmp_path))
    assert read_records(site.state) == {}
    with pytest.raises(BadInput, match="there is no survey"):
        record(site)
    write_survey(survey_of(), site.state / SURVEY_FILE)
    first = record(site)
    write_survey(survey_of([]), site.state / SURVEY_FILE)
    second = record(site)
    assert read_records(site.state) == {record_digest(first): first, record_digest(second): second}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": "safe-harbor/record/v1"}'])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    site = load_site(whole(tmp_path))
    write_survey(survey_of(), site.state / SURVEY_FILE)
    record(site)
    (kept,) = (site.state / RECORDS).iterdir()
    changed = kept.read_text().replace("controller", "controlled")
    kept.write_text(changed)
    with pytest.raises(BadInput, match="is not the record of its digest"):
        read_records(site.state)
    kept.write_text(text)
    with pytest.raises(BadInput, match="is no record of processing"):
        read_records(site.state)
