"""Buckets: where each lies, where it replicates to; and how much the declared one holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    answer = ask.one("s3", "list_buckets") or {}
    for found in answer.get("Buckets") or ():
        name = found["Name"]
        attributes: dict[str, Any] = chosen(found, made_at="CreationDate")
        location = ask.one("s3", "get_bucket_location", {"Bucket": name})
        region = ""
        if location is not None:
            # S3 answers nothing for us-east-1, and `EU` for the oldest buckets of eu-west-1.
            said = location.get("LocationConstraint") or "us-east-1"
            region = "eu-west-1" if said == "EU" else said
            attributes["region"] = region
            attributes["replicates_to"] = _destinations(ask, name, region)
            if name == site.source.bucket.name:
                attributes |= _content(ask, name, region)
        tagging = ask.one(
            "s3", "get_bucket_tagging", {"Bucket": name}, absent=("NoSuchTagSet",), region=region or "global"
        )
        yield Resource(
            service="s3",
            region=region or "global",
            kind="bucket",
            id=name,
            arn=f"arn:aws:s3:::{name}",
            name=name,
            tags=tags_of(tagging or {}, "TagSet"),
            attributes=attributes,
        )


def _destinations(ask: Ask, bucket: str, region: str) -> list[str] | None:
    """The buckets that this one is copied to; None where that could not be seen."""
    answer = ask.one(
        "s3",
        "get_bucket_replication",
        {"Bucket": bucket},
        absent=("ReplicationConfigurationNotFoundError",),
        region=region,
    )
    if answer is None:
        return None if ask.failed else []
    rules = (answer.get("ReplicationConfiguration") or {}).get("Rules") or ()
    return sorted({rule["Destination"]["Bucket"] for rule in rules if rule.get("Status") == "Enabled"})


def _content(ask: Ask, bucket: str, region: str) -> dict[str, int]:
    """Objects and bytes; nothing where the list is not complete."""
    found = ask.items("s3", "list_objects_v2", "Contents", {"Bucket": bucket}, region=region)
    if ask.failed:
        return {}
    return {"objects": len(found), "bytes": sum(int(each["Size"]) for each in found)}


SURVEYOR = Surveyor(
    service="s3",
    scope="global",
    actions=(
        "s3:ListAllMyBuckets",
        "s3:GetBucketLocation",
        "s3:GetReplicationConfiguration",
        "s3:GetBucketTagging",
        "s3:ListBucket",
    ),
    collect=_collect,
)
