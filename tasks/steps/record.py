"""The record of processing of a site, from its file and its last survey."""

from __future__ import annotations

from typing import Any

from inventory.errors import BadInput
from inventory.models.site import Site
from inventory.record import record_of
from tasks.steps.survey import SURVEY_FILE
from tasks.survey.run import read_survey


def record(site: Site) -> dict[str, Any]:
    """The record. Raises BadInput where there is no survey yet."""
    file = site.state / SURVEY_FILE
    if not file.exists():
        raise BadInput(f"there is no survey; take one first: safe-harbor survey {site.name}", file)
    return record_of(site, read_survey(file))
