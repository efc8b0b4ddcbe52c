"""The record of processing of a site, from its file and its last survey; each one that was given is kept.

What a person signs is a digest: the record that it is of lies in `residency/records/DIGEST.json`, so that
what changed since can be said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inventory.errors import BadInput
from inventory.models.site import Site
from inventory.record import SCHEMA, record_digest, record_of
from tasks.ledger.keys import write_durably
from tasks.steps.survey import SURVEY_FILE
from tasks.survey.run import read_survey

RECORDS = Path("residency") / "records"


def record(site: Site) -> dict[str, Any]:
    """The record, kept under its digest. Raises BadInput where there is no survey yet."""
    file = site.state / SURVEY_FILE
    if not file.exists():
        raise BadInput(f"there is no survey; take one first: safe-harbor survey {site.name}", file)
    made = record_of(site, read_survey(file))
    kept = site.state / RECORDS / f"{record_digest(made)}.json"
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(kept, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())
    return made


def read_records(state: Path) -> Mapping[str, dict[str, Any]]:
    """Digest -> record, of those kept. Raises BadInput for a file that is not the record of its name."""
    found = {}
    for file in sorted((state / RECORDS).glob("*.json")):
        try:
            content = json.loads(file.read_bytes())
            digest = record_digest(content) if content["schema"] == SCHEMA else ""
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput("is no record of processing; move it away", file) from error
        if digest != file.stem:
            raise BadInput("is not the record of its digest: it was changed; move it away", file)
        found[digest] = content
    return found
