"""EFS file systems: how much each holds, and with whose key it is encrypted."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    arn = f"arn:aws:elasticfilesystem:{ask.region}:{site.source.aws.account}:file-system"
    for found in ask.items("efs", "describe_file_systems", "FileSystems"):
        attributes = chosen(found, encrypted="Encrypted", kms_key="KmsKeyId", state="LifeCycleState")
        attributes["bytes"] = (found.get("SizeInBytes") or {}).get("Value")
        yield Resource(
            service="efs",
            region=ask.region,
            kind="file-system",
            id=found["FileSystemId"],
            arn=found.get("FileSystemArn") or f"{arn}/{found['FileSystemId']}",
            name=found.get("Name") or "",
            tags=tags_of(found),
            attributes=attributes,
        )


SURVEYOR = Surveyor(
    service="efs",
    scope="region",
    actions=("elasticfilesystem:DescribeFileSystems",),
    collect=_collect,
)
