"""EBS volumes, and the snapshots that the account owns."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, site: Site) -> Iterator[Resource]:
    arn = f"arn:aws:ec2:{ask.region}:{site.source.aws.account}"
    for found in ask.items("ec2", "describe_volumes", "Volumes"):
        tags = tags_of(found)
        attributes = chosen(
            found,
            size_gib="Size",
            state="State",
            encrypted="Encrypted",
            kms_key="KmsKeyId",
            zone="AvailabilityZone",
            from_snapshot="SnapshotId",
        )
        attached = found.get("Attachments") or ()
        attributes["instances"] = sorted(a["InstanceId"] for a in attached if a.get("InstanceId"))
        yield Resource(
            service="ebs",
            region=ask.region,
            kind="volume",
            id=found["VolumeId"],
            arn=f"{arn}:volume/{found['VolumeId']}",
            name=tags.get("Name", ""),
            tags=tags,
            attributes=attributes,
        )
    mine = {"OwnerIds": ["self"], "Filters": [{"Name": "owner-id", "Values": [site.source.aws.account]}]}
    for found in ask.items("ec2", "describe_snapshots", "Snapshots", mine):
        tags = tags_of(found)
        yield Resource(
            service="ebs",
            region=ask.region,
            kind="snapshot",
            id=found["SnapshotId"],
            arn=f"{arn}:snapshot/{found['SnapshotId']}",
            name=tags.get("Name", ""),
            tags=tags,
            attributes=chosen(
                found, size_gib="VolumeSize", volume="VolumeId", encrypted="Encrypted", started_at="StartTime"
            ),
        )


SURVEYOR = Surveyor(
    service="ebs",
    scope="region",
    actions=("ec2:DescribeVolumes", "ec2:DescribeSnapshots"),
    collect=_collect,
)
