"""The record of processing (GDPR Art. 30(1)) and the skeleton of a transfer assessment, from the inventory.

Pure: what the site file declares, and what the survey found, when and how. No legal conclusion is drawn: what
a person has to answer is left open, and said to be open.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from inventory.eea import outside
from inventory.models.processing import Processor
from inventory.models.resource import Survey
from inventory.models.site import Site

SCHEMA = "safe-harbor/record/v1"
OPEN = "open: to be answered by a person"
# The questions of the four-step assessment of transfers (EDPB Recommendations 01/2020, steps 1 to 4).
_QUESTIONS = {
    "data": "Which data goes there, of whom, how often?",
    "basis": "Which basis of Chapter V does the transfer stand on (Art. 45, 46, 49), since when?",
    "third_country": "Which law and practice of the country reaches the importer or its parent?",
    "measures": "Which supplementary measures are taken, and do they answer it?",
}


def record_of(site: Site, survey: Survey) -> dict[str, Any]:
    """The record as JSON values. The same site and survey give the same record, whenever and wherever."""
    declared = site.processing
    words = {
        "contact": declared.contact,
        "purposes": list(declared.purposes),
        "subjects": list(declared.subjects),
        "data": list(declared.data),
        "retention": declared.retention,
        "security": list(declared.security),
    }
    third = [each for each in declared.processors if outside(each.country, each.parent_country)]
    return {
        "schema": SCHEMA,
        "controller": site.controller,
        **words,
        "recipients": [_recipient(each) for each in sorted(declared.processors, key=lambda e: e.name)],
        "systems": _systems(site),
        "found": _found(survey),
        "transfers": [
            {**_recipient(each), "questions": {key: f"{text} {OPEN}" for key, text in _QUESTIONS.items()}}
            for each in sorted(third, key=lambda e: e.name)
        ],
        "not_declared": sorted(name for name, value in words.items() if not value),
    }


def record_digest(record: dict[str, Any]) -> str:
    """SHA-256 (hex) over the record's RFC 8785 JSON, its time of observation left out.

    A later survey that finds the same gives the same digest, so that a signed record stays signed.
    """
    found = {key: value for key, value in record["found"].items() if key != "observed_at"}
    return hashlib.sha256(rfc8785.dumps({**record, "found": found})).hexdigest()


def _recipient(company: Processor) -> dict[str, Any]:
    return {
        "name": company.name,
        "country": company.country,
        "parent": company.parent,
        "parent_country": company.parent_country,
        "role": company.role,
        "purpose": company.purpose,
        "data": list(company.data),
    }


def _systems(site: Site) -> list[dict[str, str]]:
    """Where the site file says that data is, on both sides."""
    source, target = site.source, site.target
    return [
        {"side": side, "what": what, "where": where}
        for side, what, where in (
            ("source", "account", f"AWS {source.aws.account}, {source.aws.home_region}"),
            ("source", "database", f"{source.database.name} at {source.database.host}"),
            ("source", "bucket", f"{source.bucket.name} at {source.bucket.endpoint_url or 'AWS'}"),
            ("target", "database", f"{target.database.name} at {target.database.host}"),
            ("target", "bucket", f"{target.bucket.name} at {target.bucket.endpoint_url or 'AWS'}"),
            *(("target", "node", f"{node.name} at {node.address}") for node in target.nodes),
        )
    ]


def _found(survey: Survey) -> dict[str, Any]:
    """What the survey enumerated: counts by service, region and kind, and where it could not see."""
    counts: dict[str, int] = {}
    for each in survey.resources:
        if each.service != "kubernetes":  # pods come and go; what holds data is a service of its own
            key = f"{each.service}/{each.region}/{each.kind}"
            counts[key] = counts.get(key, 0) + 1
    return {
        "how": "enumeration by the provider's API (survey.json)",
        "observed_at": survey.observed_at,
        "resources": dict(sorted(counts.items())),
        "not_seen": sorted(
            {
                f"{row.service}/{row.region}: {row.status}"
                for row in survey.coverage
                if not row.status.complete
            }
        ),
    }
