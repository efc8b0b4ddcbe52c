"""Words and evidence that the residency checks share: of a survey, of a cluster's objects, of addresses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from inventory.models.finding import Evidence, Grade
from inventory.models.resource import Coverage, Resource, Survey
from inventory.models.site import Site
from tasks.checks.evidence import EXCERPT_CHARS

NAMED_AT_MOST = 8


def of_survey(survey: Survey, source: str, seen: Sequence[Resource | Coverage]) -> Evidence:
    """Evidence of rows of a survey; observed when the survey was."""
    raw = json.dumps([each.model_dump(mode="json") for each in seen], sort_keys=True)
    return Evidence(
        source=f"survey.json: {source}",
        grade=Grade.E2,
        observed_at=datetime.fromisoformat(survey.observed_at),
        digest=hashlib.sha256(raw.encode()).hexdigest(),
        excerpt=raw[:EXCERPT_CHARS],
    )


def text_of(objects: Sequence[dict[str, Any]] | dict[str, Any]) -> str:
    """JSON objects as one text, the same for the same objects."""
    return json.dumps(objects, sort_keys=True, default=str)


def named(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def node_at(site: Site, host: str) -> str:
    """The name of the target's node that has this address or name; empty where none has."""
    return next((node.name for node in site.target.nodes if host in (str(node.address), node.name)), "")


def host_of(place: str) -> str:
    """The host of a URL, of HOST:PORT or [HOST]:PORT."""
    rest = place.partition("://")[2] or place
    rest = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest if rest.count(":") > 1 else rest.partition(":")[0]  # of more colons: an IPv6 address


def as_address(text: str) -> IPv4Address | None:
    """The IPv4 address that a text is, or None."""
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def is_aws(host: str) -> bool:
    """Whether a host name is one of AWS's own."""
    return host.rstrip(".").endswith((".amazonaws.com", ".aws.dev", ".awsdns.com", ".cloudfront.net")) or (
        ".awsdns-" in host
    )
